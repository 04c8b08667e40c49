# What the command line makes of its arguments, and what it says of wrong ones.
from umqtt_full.__main__ import OPTIONS, VERBS, End, parse, usage


def given(*arguments):
    return parse(arguments)[1]


def fault(*arguments):
    """The one line that wrong arguments end with."""
    try:
        parse(arguments)
    except End as e:
        assert e.code == 1, e.code
        assert "\n" not in e.text
        return e.text
    raise AssertionError("taken: %s" % (arguments,))


def test_short_and_long_names_mean_the_same():
    short = given("pub", "-h", "a", "-p", "7", "-t", "x", "-m", "y", "-q", "2", "-r",
                  "-i", "me", "-u", "ann", "-P", "z")
    long = given("pub", "--host", "a", "--port=7", "--topic", "x", "--message=y", "--qos", "2", "--retain",
                 "--id", "me", "--username", "ann", "--pw", "z")
    assert short == long
    assert short["url"] == "mqtt://a:7"
    assert short["topic"] == ["x"] and short["message"] == "y"
    assert short["qos"] == 2 and short["retain"] is True and not short["disable-clean-session"]


def test_a_value_may_look_like_an_option_and_hold_an_equals_sign():
    assert given("pub", "-t", "-m", "-m", "--help")["message"] == "--help"
    assert given("pub", "-t", "x", "--message=a=b")["message"] == "a=b"
    assert given("pub", "-t", "x", "--message=")["message"] == ""


def test_sub_takes_several_topics_and_each_call_begins_with_none():
    assert given("sub", "-t", "a", "-t", "b/#")["topic"] == ["a", "b/#"]
    assert given("sub", "-t", "c")["topic"] == ["c"]


def test_the_server_comes_of_host_port_and_tls():
    files = "--cafile", __file__
    assert given("sub", "-t", "x")["url"] == "mqtt://127.0.0.1"
    assert given("sub", "-t", "x", "-h", "::1", "-p", "9")["url"] == "mqtt://[::1]:9"
    assert given("sub", "-t", "x", "-h", "h", *files)["url"] == "mqtts://h"
    assert given("sub", "-t", "x", "--insecure")["url"] == "mqtts://127.0.0.1"


def test_the_path_of_a_url_is_the_topic_but_for_websocket():
    options = given("sub", "-L", "mqtt://u:p%2F@h:9/a/b")
    assert options["url"] == "mqtt://u:p%2F@h:9" and options["topic"] == ["a/b"]
    options = given("sub", "--url", "ws://h:9/mqtt", "-t", "x")
    assert options["url"] == "ws://h:9/mqtt" and options["topic"] == ["x"]


def test_count_is_of_each_verb_its_own():
    assert given("sub", "-t", "x", "-C", "3")["count"] == 3
    assert given("bench", "-n", "3")["count"] == 3
    assert given("pub", "-t", "x", "-n")["null-message"] is True


def test_what_is_wrong_is_named():
    for arguments, said in (
        ((), "pub, sub or bench? See --help"),
        (("publish",), "pub, sub or bench? See --help"),
        (("pub", "-x"), "-x: unknown option. See pub --help"),
        (("pub", "x"), "x: unknown option. See pub --help"),
        (("sub", "-m", "x"), "-m: unknown option. See sub --help"),
        (("sub", "--count=x", "-t", "x"), "--count: a number from 1 to 1073741824, not x"),
        (("pub", "-q", "3"), "-q: a number from 0 to 2, not 3"),
        (("pub", "-p", "0"), "-p: a number from 1 to 65535, not 0"),
        (("pub", "-k", "65536"), "-k: a number from 0 to 65535, not 65536"),
        (("pub", "-t"), "-t: its value is missing"),
        (("pub", "--retain=1"), "--retain: takes no value"),
        (("pub", "-m", "x"), "--topic: missing"),
        (("pub", "-m", "x", "-t", "a", "-t", "b"), "--topic: one only"),
        (("pub", "-m", "x", "-t", "a", "-L", "mqtt://h/b"), "--topic: one only"),
        (("sub", "-t", "x", "-c"), "--disable-clean-session: needs --id"),
        (("sub", "-t", "x", "--will-retain"), "--will-topic: missing"),
        (("sub", "-t", "x", "-L", "ws://h", "-p", "1"), "--url: not with --host or --port"),
    ):
        assert fault(*arguments) == said, (arguments, fault(*arguments))


def test_pub_wants_exactly_one_payload():
    for payload in ((), ("-m", "x", "-n"), ("-l", "-s"), ("-m", "", "-l")):
        assert fault("pub", "-t", "x", *payload).startswith("one of --message, "), payload
    for payload in (("-m", ""), ("-n",), ("-l",), ("-s",), ("-f", __file__)):
        given("pub", "-t", "x", *payload)


def test_a_file_that_is_not_there_is_named():
    for name in ("-f", "--cafile", "--cert", "--key"):
        assert fault("pub", "-t", "x", name, "/no/such").startswith(name + ": /no/such: ")


def test_help_shows_each_option_of_a_verb():
    for verb in VERBS:
        text = usage(verb)
        for row in OPTIONS:
            assert ("  " + row[0].replace(" ", ", ") + " " in text) == (verb in row[1]), (verb, row[0])
    for arguments in (("--help",), ("--version",), ("sub", "--help")):
        try:
            parse(arguments)
        except End as e:
            assert e.code == 0 and not e.text
        else:
            raise AssertionError(arguments)
