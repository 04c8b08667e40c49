# The settings of one device, from one JSON file.
#
# Rule: what is wrong is said in one line that names the key, before anything is started; a key that nobody
# asks for is wrong, too, since it is a typing error as a rule.
import json

_REQUIRED = object()


class ConfigError(ValueError):
    """The settings can not be used; the text names the key."""


class Section:
    """The keys of one JSON object. take() them one by one, then done()."""

    def __init__(self, values, where):
        if not isinstance(values, dict):
            raise ConfigError("%smust be an object {..}" % where)
        self._values = values
        self._where = where
        self._left = set(values)

    def wrong(self, key, what):
        """The exception that says what is wrong with a key."""
        return ConfigError("%s%s: %s" % (self._where, key, what))

    def take(self, key, default=_REQUIRED, kinds=None, least=None, most=None, choices=None):
        """The value of a key, of a type in the tuple `kinds`, else of the default's.

        For a key that is missing, or null where that is the default: the default. `least`, `most`: of a number,
        or of the length of a text or list. Raises ConfigError.
        """
        self._left.discard(key)
        value = self._values.get(key, default)
        if value is _REQUIRED:
            raise self.wrong(key, "is missing")
        if value is default:
            return value
        kinds = kinds or (type(default),)
        if float in kinds and type(value) is int:
            value = float(value)
        if type(value) not in kinds:  # True is no int here
            names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list"}
            raise self.wrong(key, "must be " + " or ".join([names.get(k, "an object") for k in kinds]))
        if choices and value not in choices:
            raise self.wrong(key, "must be one of " + ", ".join([json.dumps(c) for c in choices]))
        unit = " long" if isinstance(value, (str, list)) else ""
        size = len(value) if unit else value
        if (least is not None and size < least) or (most is not None and size > most):
            raise self.wrong(key, "must be %s to %s%s" % (least or 0, "any" if most is None else most, unit))
        return value

    def section(self, key):
        """The Section of the object at a key; one without keys where it is missing."""
        self._left.discard(key)
        values = self._values.get(key, {})
        if not isinstance(values, dict):
            raise self.wrong(key, "must be an object {..}")
        return Section(values, "%s%s." % (self._where, key))

    def done(self):
        """Refuse what nobody asked for."""
        for key in self._left:
            raise self.wrong(key, "unknown key")


def load(path="config.json"):
    """The Section of a whole file. Raises ConfigError, also where there is no such file."""
    try:
        with open(path) as file:
            values = json.load(file)
    except OSError:
        raise ConfigError("%s: no such file: copy config.example.json and fill it in" % path)
    except ValueError as e:
        raise ConfigError("%s: is not JSON: %s" % (path, e))
    return Section(values, path + ": ")
