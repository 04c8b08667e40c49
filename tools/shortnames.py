"""Short names for what only the library itself can mean: a half of compact.py.

Rule: a name is changed where the package has made it and nobody else can say it. Kept are the names of the stubs
and of what programs take from the package; those of Python, of MicroPython's objects and of what is imported; and
each string of the package that could be a name. A short name serves several attributes, where no object has two of
them. What a user's subclass may meet is an underscore and a digit, which nobody would write.
"""
import ast
import builtins
import itertools
import keyword
import string
from collections import Counter

# The words that every MicroPython has in its firmware, so that they cost nothing: py/makeqstrdata.py.
WORDS = set("""
abs all any append args bool builtins bytearray bytecode bytes callable chr classmethod clear close const copy
count dict dir divmod end endswith eval exec extend find format from_bytes get getattr globals hasattr hash id
index insert int isalpha isdigit isinstance islower isspace issubclass isupper items iter join key keys len list
little locals lower lstrip main map micropython next object open ord pop popitem pow print range read readinto
readline remove replace repr reverse rfind rindex round rsplit rstrip self send sep set setattr setdefault sort
sorted split start startswith staticmethod step stop str strip sum super throw to_bytes tuple type update upper
value values write zip
""".split())

# What else MicroPython's objects have that a program may meet: dir() of them in the unix port.
FOREIGN = set("""
_io_queue _task_queue accept acquire add appendleft bind call_exception_handler cancel center code connect coro
create_task cur_task current_task data deinit decode digest discard done drain encode errno fileno flush fromhex
fromkeys get_event_loop getvalue group hex ipoll is_set load_cert_chain load_verify_locations makefile match
modify partition peek ph_key poll popleft psk_identity psk_key push queue_read queue_write readexactly readlines
recv recvfrom register release rpartition search seek sendall sendto setblocking setsockopt settimeout sleep
sleep_ms splitlines state sub tell ticks_add ticks_diff ticks_ms union unregister verify_callback verify_mode
wait wrap_socket
""".split())

TAKEN = {*dir(builtins), *keyword.kwlist}
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef
SCOPES = *FUNCTIONS, ast.ClassDef
INNER = *SCOPES, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp


# -- which names there are


def _at(node):
    """(container, key, name) for each name that a node has: container[key] = .. replaces it."""
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return [(node.names, i, name) for i, name in enumerate(node.names)]
    fields = vars(node)
    return [(fields, key, fields[key]) for key in ("id", "attr", "arg", "name", "asname")
            if isinstance(fields.get(key), str)]


def _all(trees):
    return [found for tree in trees for node in ast.walk(tree) for found in _at(node)]


def rename(tree, names):
    """Put the short names of `names` in place of the long ones."""
    for container, key, name in _all([tree]):
        container[key] = names.get(name, name)


def outer(body):
    """The statements that run when a module is loaded, or a class made, in their order."""
    for node in body:
        yield node
        if not isinstance(node, SCOPES):
            for field in ("body", "handlers", "orelse", "finalbody"):
                yield from outer(getattr(node, field, []))


def bound(body):
    """(name, where it comes from: None, or what is imported) for all that these statements bind."""
    for node in outer(body):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (((a.asname or a.name).split(".")[0], origin(node, a)) for a in node.names)
        elif isinstance(node, SCOPES):
            yield node.name, None
        elif not hasattr(node, "body"):
            yield from ((n.id, None) for n in ast.walk(node) if isinstance(getattr(n, "ctx", 0), ast.Store)
                        and isinstance(n, ast.Name))


def origin(node, alias):
    """What an import gives a name to."""
    return f"{'.' * getattr(node, 'level', 0)}{getattr(node, 'module', None) or ''}:{alias.name}"


def used_names(tree):
    """What a program may take from the package: attributes but its own, keyword arguments, imports, strings."""
    yield from _strings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) != "self":
            yield node.attr
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.keyword):
            yield node.arg


def _strings(tree):
    """The names in a tree's strings, and in the programs that it has as strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "exec":
            yield from (name for _, _, name in _all([ast.parse(ast.literal_eval(node.args[0]))]))


def _foreign(tree, package):
    """What a tree imports from elsewhere, and takes from that."""
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0):
            for alias in node.names:
                if alias.name != package:
                    roots.update([*alias.name.split("."), alias.asname])
    yield from roots
    for node in ast.walk(tree):
        chain = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        if getattr(node, "id", None) in roots:
            yield from chain


def _own(tree):
    """The names that a tree makes and that take memory: of attributes, functions, classes, arguments, globals."""
    yield from (name for name, _ in bound(tree.body))
    for node in ast.walk(tree):
        if isinstance(node, SCOPES):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        if isinstance(node, ast.ClassDef):
            yield from (name for name, _ in bound(node.body))


class _Attributes:
    """`families`: {attribute: the families of classes whose objects have it}. `loose`: what is not only that."""

    def __init__(self, trees):
        classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        self.family = {node.name: {node.name} for node in classes}
        for node in classes:
            for base in node.bases:
                name = getattr(base, "attr", getattr(base, "id", ""))
                both = self.family[node.name] | self.family.get(name, set())
                self.family.update(dict.fromkeys(both, both))
        self.families, members = {}, set()
        for node in classes:
            members.update(id(n) for part in node.body for n in (part, *getattr(part, "targets", ())))
            mine = [n for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
                    and getattr(n.value, "id", None) == "self"]
            members.update(map(id, mine))
            for name in [n.attr for n in mine] + [name for name, _ in bound(node.body)]:
                self.families.setdefault(name, set()).add(min(self.family[node.name]))
        self.loose = {name for tree in trees for node in ast.walk(tree) for _, _, name in _at(node)
                      if id(node) not in members
                      and not (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load))}


# -- what becomes of them


def shorten(package, modules, trees, stubs, programs):
    """Change the names in `trees`, of which the first is always loaded; return {long name: short name}.

    `package` and `modules`: what they are called. `stubs`, `programs`: trees.
    """
    kept = {package, *modules}.union(FOREIGN, *map(_strings, trees), *(_foreign(tree, package) for tree in trees))
    kept.update(*map(used_names, programs), (name for _, _, name in _all(stubs)))
    named = {node.arg for tree in (*trees, *stubs, *programs) for node in ast.walk(tree)
             if isinstance(node, ast.keyword) or isinstance(node, ast.arg) and tree in stubs}
    for tree in trees:
        _share_arguments(tree, named)
    first, used = (Counter(name for _, _, name in _all(some)) for some in (trees[:1], trees))
    private = {name for tree in trees for name in _own(tree) if len(name) > 2 and name[:2] != "__"}
    private -= kept | WORDS | TAKEN
    names = _choose(sorted(private, key=lambda name: (-first[name], -used[name], name)), _Attributes(trees),
                    {node.name for stub in stubs for node in stub.body if isinstance(node, ast.ClassDef)},
                    kept | TAKEN | {*used})
    for tree in trees:
        rename(tree, names)
    return names


def _share_arguments(tree, named):
    """Give the arguments that nobody names the same words in all functions."""
    for function in (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)):
        inside = [node for part in function.body for node in ast.walk(part)]
        if not any(isinstance(node, INNER) for node in inside):
            arguments = [node for node in ast.walk(function.args) if isinstance(node, ast.arg)]
            variables = [node for node in inside if isinstance(node, (ast.Name, ast.ExceptHandler))]
            there = {name for node in (*arguments, *inside) for _, _, name in _at(node)}
            words = (word for word in sorted(WORDS - TAKEN) if word not in there)
            new = {node.arg: next(words) for node in arguments if node.arg not in named | WORDS}
            for node in (*arguments, *variables):
                for container, key, name in _at(node):
                    container[key] = new.get(name, name)


def _choose(private, attributes, public, taken):
    """{long name: short name}, words of the firmware first. `public`: the classes that users may derive from."""
    letters = string.ascii_lowercase + string.digits
    plain = [*sorted(WORDS), *map("".join, itertools.product(letters[:26], letters))]
    hidden = ["_" + digit + more for more in ("", *letters) for digit in string.digits]
    plain, hidden = ((name for name in new if name not in taken) for new in (plain, hidden))
    open_families = {min(family) for name, family in attributes.family.items() if name in public}
    names, given = {}, []
    for name in private:
        families = attributes.families.get(name, set())
        hide = bool(families & open_families)
        alone = name in attributes.loose or not families
        fitting = [(short, theirs) for short, theirs in given
                   if not (alone or families & theirs) and (short[0] == "_" or not hide)]
        short, theirs = fitting[0] if fitting else (next(hidden if hide else plain), set())
        theirs |= families
        if not (fitting or alone):
            given.append((short, theirs))
        names[name] = short
    return names
