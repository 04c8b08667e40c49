# What is wrong with the settings is said in one line that names the key.
from boards import Board, section
from fake import error

NAME = "config.json"


def loaded(b, text):
    with open(NAME, "w") as file:
        file.write(text)
    return b.load("settings").load(NAME)


def test_values_defaults_and_parts():
    with Board() as b:
        s = loaded(b, '{"a": 5, "b": "text", "part": {"c": [1], "d": 2}, "n": null}')
        assert s.take("a", 1) == 5
        assert s.take("b", kinds=(str,)) == "text"
        assert s.take("missing", 7) == 7
        assert s.take("n", None, (str,)) is None
        part = s.section("part")
        assert part.take("c", kinds=(list,)) == [1]
        assert part.take("d", 1.0) == 2.0
        part.done()
        s.done()
        assert s.section("none").take("x", 3) == 3


def test_each_fault_names_its_key_in_one_line():
    with Board() as b:
        s = section(b, a=5, t="x", flag=True, part={"x": 1})
        faults = (
            (lambda: s.take("broker", kinds=(str,)), "config.json: broker: is missing"),
            (lambda: s.take("a", "text"), "config.json: a: must be text"),
            (lambda: s.take("t", 1), "config.json: t: must be a whole number"),
            (lambda: s.take("flag", 1), "config.json: flag: must be a whole number"),
            (lambda: s.take("a", 1, least=6, most=9), "config.json: a: must be 6 to 9"),
            (lambda: s.take("a", 1, least=6), "config.json: a: must be 6 to any"),
            (lambda: s.take("t", "y", choices=("y", "z")), 'config.json: t: must be one of "y", "z"'),
            (lambda: s.take("t", None, (int, list)), "config.json: t: must be a whole number or a list"),
            (lambda: s.section("part").done(), "config.json: part.x: unknown key"),
            (lambda: s.section("a"), "config.json: a: must be an object {..}"),
        )
        for function, text in faults:
            e = error(function)
            assert str(e) == text, (e, text)
            assert type(e).__name__ == "ConfigError"


def test_a_file_that_is_missing_or_no_json_is_said_so():
    with Board() as b:
        assert "no such file" in str(error(b.load("settings").load, "missing.json"))
        assert "is not JSON" in str(error(loaded, b, '{"a": '))
        assert "must be an object" in str(error(loaded, b, "[1]"))
