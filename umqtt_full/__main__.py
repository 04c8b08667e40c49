# The command line: pub and sub, close to mosquitto_pub and mosquitto_sub, and bench. `python -m umqtt_full --help`
#
# For CPython and MicroPython's unix port; never on a board. What ends the program raises End, with the exit code.
# While there is a link neither stdin nor stdout is waited for: both are polled, so that keepalive goes on.
import io
import os
import select
import sys
import time

from umqtt_full import MQTTClient, MQTTError, MQTTFull, __version__
from umqtt_full import url as urls
from umqtt_full.stream import Streams

# Exit codes
USAGE = 1  # a wrong option, or a file, stdin or stdout that fails
NETWORK = 2  # no link, or TLS failed
REFUSED = 3  # by the broker: us, or each subscription
TIMED_OUT = 27  # -W is over; as mosquitto_sub
INTERRUPTED = 130  # Ctrl-C, after DISCONNECT

LINE = 1024  # bytes of the largest message that is kept in a slot; what is larger is streamed
SLOTS = 20  # as many as may be under way
RX = 4096  # what fits is printed in one piece, and a pipe that is ready takes it without waiting
STDIN = 1 if sys.implementation.name == "micropython" else 4096  # MicroPython's read(n) waits for all n

VERBS = {"pub": "publish a message", "sub": "print what is published", "bench": "measure a broker, and us"}

# Names, verbs, kind (bool, str, list: may be given again, "file": must be readable, or the least and the largest
# number), default, what help calls the value, and what it says of it.
OPTIONS = (
    ("-h --host", "pub sub bench", str, None, "HOST", "the broker's name or address: 127.0.0.1"),
    ("-p --port", "pub sub bench", (1, 65535), None, "PORT", "its port: 1883, 8883 with TLS"),
    ("-L --url", "pub sub bench", str, None, "URL", "instead: mqtt://user:password@host:port/topic,\n"
     "mqtts://, or ws:// and wss:// with a path and no topic"),
    ("-t --topic", "pub sub bench", list, None, "TOPIC", "the topic; sub takes filters, and several -t"),
    ("-q --qos", "pub sub bench", (0, 2), None, "QOS", "0, 1 or 2: 0; bench takes all in turn"),
    ("-m --message", "pub", str, None, "TEXT", "the payload"),
    ("-n --null-message", "pub", bool, False, "", "an empty payload"),
    ("-f --file", "pub", "file", None, "FILE", "the payload is a file, of any size"),
    ("-s --stdin-file", "pub", bool, False, "", "the payload is all of stdin"),
    ("-l --stdin-line", "pub", bool, False, "", "a message for each line of stdin"),
    ("-r --retain", "pub", bool, False, "", "the broker keeps it for who subscribes later"),
    ("-v --verbose", "sub", bool, False, "", "print topic and payload"),
    ("-N --no-newline", "sub", bool, False, "", "no line end behind a payload"),
    ("-C --count", "sub", (1, 1 << 30), None, "COUNT", "end after so many messages"),
    ("-n --count", "bench", (1, 1000000), 1000, "COUNT", "messages for each measurement: 1000"),
    ("--size", "bench", (0, 100000), 64, "BYTES", "of their payload: 64"),
    ("-W --timeout", "pub sub bench", (1, 500000), None, "SECONDS", "give up after that: exit code 27"),
    ("-i --id", "pub sub", str, None, "ID", "the client identifier, made up if not given"),
    ("-c --disable-clean-session", "pub sub", bool, False, "", "the broker keeps the session; needs -i"),
    ("-k --keepalive", "pub sub bench", (0, 65535), 60, "SECONDS", "60; 0 for none"),
    ("-u --username", "pub sub bench", str, None, "NAME", "the user"),
    ("-P --pw", "pub sub bench", str, None, "TEXT", "the password, for all to see in the list of processes:\n"
     "better in the environment, as MQTT_PASSWORD"),
    ("--will-topic", "pub sub", str, None, "TOPIC", "the broker publishes there when it loses us"),
    ("--will-payload", "pub sub", str, "", "TEXT", "what it publishes"),
    ("--will-qos", "pub sub", (0, 2), 0, "QOS", "0, 1 or 2: 0"),
    ("--will-retain", "pub sub", bool, False, "", "it is retained"),
    ("--cafile", "pub sub bench", "file", None, "FILE", "TLS: certificates to trust; without it the system's"),
    ("--cert", "pub sub bench", "file", None, "FILE", "our certificate"),
    ("--key", "pub sub bench", "file", None, "FILE", "and its key"),
    ("--insecure", "pub sub bench", bool, False, "", "TLS that takes any certificate"),
    ("--help", "pub sub bench", bool, False, "", "show this"),
)


class End(Exception):
    """The end: an exit code, and what to say on stderr."""

    def __init__(self, code, text=""):
        super().__init__(code)
        self.code = code
        self.text = text


def say(text):
    sys.stderr.write("umqtt_full: %s\n" % text)


# -- arguments


def usage(verb):
    """What --help shows: of all verbs, or the options of one."""
    if verb not in VERBS:
        lines = ["umqtt_full %s. Usage:" % __version__]
        lines += ["  -m umqtt_full %-6s [options]  %s" % item for item in sorted(VERBS.items())]
        return "\n".join(lines + ["  -m umqtt_full VERB --help", "  -m umqtt_full --version"])
    lines = ["umqtt_full %s: %s" % (verb, VERBS[verb])]
    for names, verbs, _, _, value, text in OPTIONS:
        if verb in verbs:
            left = "  %s %s" % (names.replace(" ", ", "), value)
            lines.append("%-34s %s" % (left, text.replace("\n", "\n" + " " * 35)))
    return "\n".join(lines)


def parse(arguments):
    """The verb and a dict of its options by their long names. Raises End: exit code 1, or 0 for help."""
    verb = arguments[0] if arguments else ""
    if verb == "--version":
        print(__version__)
        raise End(0)
    if verb not in VERBS:
        if verb != "--help":
            raise End(USAGE, "pub, sub or bench? See --help")
        print(usage(verb))
        raise End(0)
    options = read(verb, list(arguments[1:]))
    if options["help"]:
        print(usage(verb))
        raise End(0)
    check(verb, options)
    return verb, options


def read(verb, rest):
    """The options that stand in `rest`, and the defaults of the others."""
    kinds, options = {}, {}
    for names, verbs, kind, default, _, _ in OPTIONS:
        if verb in verbs:
            names = names.split()
            key = names[-1][2:]
            options[key] = [] if kind is list else default
            for name in names:
                kinds[name] = key, kind
    while rest:
        name = rest.pop(0)
        if name.startswith("--") and "=" in name:
            name, _, value = name.partition("=")
            rest.insert(0, value)
            if name in kinds and kinds[name][1] is bool:
                raise End(USAGE, "%s: takes no value" % name)
        if name not in kinds:
            raise End(USAGE, "%s: unknown option. See %s --help" % (name, verb))
        key, kind = kinds[name]
        if kind is bool:
            options[key] = True
        elif not rest:
            raise End(USAGE, "%s: its value is missing" % name)
        elif kind is list:
            options[key].append(rest.pop(0))
        else:
            options[key] = convert(name, kind, rest.pop(0))
    return options


def convert(name, kind, value):
    """The value of an option; End where it is not of its kind."""
    if kind == "file":
        try:
            open(value, "rb").close()
        except OSError as e:
            raise End(USAGE, "%s: %s: %s" % (name, value, e))
    elif kind is not str:
        try:
            number = int(value)
        except ValueError:
            number = -1
        if not kind[0] <= number <= kind[1]:
            raise End(USAGE, "%s: a number from %d to %d, not %s" % (name, kind[0], kind[1], value))
        return number
    return value


def check(verb, options):
    """See that the options fit together, and put the URL of the server and the topics in their places."""
    url = options["url"]
    if url is None:
        host = options["host"] or "127.0.0.1"
        tls = options["cafile"] or options["cert"] or options["insecure"]
        url = "%s://%s" % ("mqtts" if tls else "mqtt", "[%s]" % host if ":" in host else host)
        if options["port"]:
            url += ":%d" % options["port"]
    elif options["host"] or options["port"]:
        raise End(USAGE, "--url: not with --host or --port")
    elif not url.startswith("ws"):
        scheme, _, url = url.partition("://")
        url, _, topic = url.partition("/")
        url = scheme + "://" + url
        if topic:
            options["topic"].append(topic)
    options["url"] = url
    topics = options["topic"]
    if verb != "bench" and not topics:
        raise End(USAGE, "--topic: missing")
    if verb != "sub" and len(topics) > 1:
        raise End(USAGE, "--topic: one only")
    if verb == "pub":
        names = ("message", "null-message", "file", "stdin-file", "stdin-line")
        if sum(options[name] not in (None, False) for name in names) != 1:
            raise End(USAGE, "one of --message, --null-message, --file, --stdin-file and --stdin-line")
    if verb != "bench":
        if options["disable-clean-session"] and not options["id"]:
            raise End(USAGE, "--disable-clean-session: needs --id")
        if not options["will-topic"] and any(options["will-" + part] for part in ("payload", "qos", "retain")):
            raise End(USAGE, "--will-topic: missing")


# -- the client


def data(text):
    """The bytes that were given as an argument, or None."""
    return None if text is None else text.encode("utf-8", "surrogateescape")


class Session:
    """`with Session(options, slots, slot_size) as session`: a client that is kept connected, until the end."""

    def __init__(self, options, slots, slot_size):
        get = options.get
        will = get("will-topic"), data(get("will-payload")), get("will-qos"), get("will-retain")
        tls = {"ca": get("cafile"), "cert": get("cert"), "key": get("key")}
        tls = {name: tls[name] for name in tls if tls[name]}
        if get("insecure"):
            tls["insecure_no_verification"] = True
        user, password = urls.parse(get("url"))[:2]
        user = data(get("username")) or user
        password = data(get("pw")) or password
        if user and not password:
            password = data(os.getenv("MQTT_PASSWORD"))
        self.client = client = MQTTClient(
            get("url"), data(get("id")), user, password, get("keepalive"), not get("disable-clean-session"),
            max(RX, slot_size) + len(will[1] or b""), slots, slot_size, len(get("topic")) + 1,
            queue_qos0=True, **tls
        )
        if will[0]:
            client.will(*will)
        client.on_connect = self.up
        client.on_disconnect = self.lost
        client.on_error = self.failed
        client.on_drop = self.dropped
        self.works = False  # did anything ever come?
        self.links = 0
        self.stays = True
        self.seconds = get("timeout")
        self.end = time.ticks_add(time.ticks_ms(), 1000 * (self.seconds or 0))

    def up(self, present):
        if self.links:
            say("connected again")
        self.links += 1
        self.works = True

    def lost(self, reason):
        if reason and not self.stays:
            raise End(NETWORK, str(reason))
        if reason:
            say("%s; connecting again" % reason)

    def failed(self, error):
        """The first attempt counts, and a refusal that will not change; else the client goes on."""
        if isinstance(error, MQTTError) and 0x84 <= error.code <= 0x87:
            raise End(REFUSED, str(error))
        if not self.works or not self.stays:
            raise End(NETWORK, str(error))

    def dropped(self, packet_id):
        raise End(NETWORK, "the message was given up: its file is shorter now")

    def left(self, most_ms):
        """Milliseconds to wait, up to `most_ms`. Raises End when there are none left."""
        if self.seconds:
            left = time.ticks_diff(self.end, time.ticks_ms())
            if left <= 0:
                raise End(TIMED_OUT, "timed out")
            most_ms = min(most_ms, left)
        return most_ms

    def poll(self, most_ms=1000):
        return self.client.poll(self.left(most_ms))

    def __enter__(self):
        self.client.start()
        return self

    def __exit__(self, *error):
        client = self.client
        client.on_disconnect = client.on_error = None
        if self.works and client.state != "offline":
            client.disconnect(2000)
        client.close()


def raw(stream):
    """Standard input or output without a buffer."""
    return getattr(stream.buffer, "raw", stream.buffer)


def polled(stream, mask):
    poller = select.poll()
    poller.register(stream, mask)
    return poller


# -- pub


def pub(options):
    """Publish, and return when the broker has it all."""
    source = None
    if options["file"]:
        source = open(options["file"], "rb")
    elif options["stdin-file"]:
        source = io.BytesIO(sys.stdin.buffer.read())
    elif not options["stdin-line"]:
        source = io.BytesIO(data(options["message"]) or b"")
    topic = data(options["topic"][0])
    how = options["qos"] or 0, options["retain"]
    with Session(options, SLOTS, LINE + 9 + len(topic)) as session:
        client = session.client
        streams = Streams(client, RX)
        if source:
            streams.publish(topic, source, source.seek(0, 2), *how)
        else:
            for line in lines(session):
                send(session, streams, topic, line, *how)
        while not client.drain(session.left(1000)):
            pass


def send(session, streams, topic, payload, qos, retain):
    """Accept a message of any size as soon as there is room."""
    while True:
        try:
            if len(payload) <= LINE:
                session.client.publish(topic, payload, qos, retain)
            else:
                streams.publish(topic, io.BytesIO(payload), len(payload), qos, retain)
            session.poll(0)
            return
        except MQTTFull:
            session.poll()


def lines(session):
    """The lines of stdin as they come, without their ends; meanwhile the client works."""
    stdin = raw(sys.stdin)
    poller = polled(stdin, select.POLLIN)
    rest = bytearray()
    while True:
        if not poller.poll(0):
            session.poll(20)
            continue
        more = stdin.read(STDIN)
        rest.extend(more)
        if b"\n" in more:
            whole = bytes(rest).split(b"\n")
            rest = bytearray(whole.pop())
            for line in whole:
                yield line
        if not more:
            break
    if rest:
        yield bytes(rest)


# -- sub


class Printer:
    """Prints messages to stdout, in pieces where they are larger than RX, as it takes them."""

    def __init__(self, options, session):
        self.session = session
        self.verbose = options["verbose"]
        self.newline = b"" if options["no-newline"] else b"\n"
        self.count = options["count"] or -1  # messages still to print
        self.closed = False  # nobody reads any more
        self.stdout = raw(sys.stdout)
        self.poller = polled(self.stdout, select.POLLOUT)
        self.buf = bytearray(RX)
        self.key = None  # of the message that comes in
        self.printed = 0  # bytes of its payload

    def ready(self):
        """Does stdout take RX bytes without waiting?"""
        for _, event in self.poller.poll(0):
            if not event & (select.POLLERR | select.POLLHUP):
                return True
            self.closed = True
        return False

    def write(self, *parts):
        left = b"".join(parts)
        try:
            while left:
                left = left[self.stdout.write(left) :]
        except OSError as e:
            self.closed = True
            if e.errno != 32:  # EPIPE, which not every errno has: the reader has gone
                raise End(USAGE, "stdout: %s" % e)

    def over(self):
        return self.closed or not self.count

    def take(self, stream):
        """The handler of a stream. What is not printed is not taken, so that the broker keeps it."""
        if self.over() or stream.remaining and not self.ready():
            return
        at = stream.offset
        n = stream.readinto(self.buf)
        if n is None:
            return
        if not at:
            self.begin(stream.message, stream.length)
        piece = bytes(memoryview(self.buf)[min(max(self.printed - at, 0), n) : n])
        self.printed = max(self.printed, at + n)
        self.write(self.head, piece, b"" if stream.remaining else self.newline)
        self.head = b""
        if not stream.remaining:
            self.printed = 0
            self.count -= 1

    def begin(self, msg, length):
        """A message begins: after a cut perhaps one whose beginning was printed."""
        self.session.works = True  # a kept session sends before it answers SUBSCRIBE
        key = msg.topic, length, msg.packet_id
        self.head = b""
        if self.printed and not (msg.dup and key == self.key):
            say("a message was cut after %d of its bytes" % self.printed)
            self.write(self.newline)
            self.printed = 0
        self.key = key
        if self.verbose and not self.printed:
            self.head = msg.topic.encode() + (b" " if length else b" (null)")

    def whole(self, msg):
        """A message that no -t asked for: a kept session has it of an earlier one."""
        if self.over() or not self.ready():
            msg.later()
            return
        self.begin(msg, len(msg))
        self.write(self.head, bytes(msg.payload), self.newline)
        self.count -= 1


def sub(options):
    """Print what comes, until it is enough."""
    topics = options["topic"]
    refused = []

    def granted(topic, qos):
        if qos == 0x80:
            say("%s: subscription refused" % topic)
            refused.append(topic)

    with Session(options, 1, 16) as session:
        printer = Printer(options, session)
        client = session.client
        streams = Streams(client, 1)
        for topic in topics:
            streams.on(data(topic), printer.take, options["qos"] or 0)
        client.on_subscribe = granted
        client.on_message = printer.whole
        client.on_oversize = lambda msg: say("a message of %d bytes was let go: %s" % (len(msg), msg.topic))
        try:
            while not printer.over():
                session.poll()
                printer.ready()
                if len(refused) == len(topics):
                    raise End(REFUSED, "no subscription is left")
        finally:
            printer.closed = True  # DISCONNECT may be waited for, but nothing more is printed


# -- bench


def bench(options):
    """Print messages a second and the time of a round trip, for each QoS."""
    count = options["count"]
    topic = data(options["topic"][0]) if options["topic"] else b"umqtt_full/bench/%x" % time.time_ns()
    print("       publish/s   and back/s      p50 ms      p90 ms      p99 ms")
    for qos in range(3) if options["qos"] is None else (options["qos"],):
        with Session(options, SLOTS, options["size"] + 13 + len(topic)) as session:
            session.stays = False
            out, back, times = measure(session, topic, bytes(options["size"]), qos, count)
        times.sort()
        shares = [times[count * share // 100] / 1000000 for share in (50, 90, 99)]
        print("QoS %d %10d %11d %11.3f %11.3f %11.3f" % tuple([qos, out, back] + shares))


def measure(session, topic, payload, qos, count):
    """Messages a second out; out and back again; and the nanoseconds of single round trips."""
    client = session.client
    now = getattr(time, "perf_counter_ns", time.time_ns)
    came = 0

    def got(msg):
        nonlocal came
        came += 1

    def flood(where, comes):
        start = now()
        for i in range(count):
            while not client.room() or comes and i - came >= SLOTS:
                session.poll()
            client.publish(where, payload, qos)
        while not client.drain(session.left(1000)):
            pass
        while comes and came < count:
            session.poll()
        return count * 1000000000 // (now() - start)

    client.on(topic, got, qos)
    while not session.poll():
        pass
    out = flood(topic + b"/out", False)
    back = flood(topic, True)
    times = []
    for _ in range(count):
        before, start = came, now()
        client.publish(topic, payload, qos)
        while came == before:
            session.poll()
        times.append(now() - start)
    return out, back, times


def main(arguments):
    """Run; return the exit code."""
    try:
        verb, options = parse(arguments)
        {"pub": pub, "sub": sub, "bench": bench}[verb](options)
    except End as e:
        if e.text:
            say(e.text)
        return e.code
    except (ValueError, OSError) as e:  # what can not be sent, connected to, or read
        say(e)
        return USAGE
    except MemoryError:
        say("too large for the heap: see -X heapsize=4m of micropython, or pub --file")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
