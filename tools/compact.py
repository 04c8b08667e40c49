"""The library as boards get it: the same program in less flash and heap, made from its sources.

Rule: what is loaded with the package is one module, and private names are short (see shortnames.py), for all
profiles alike. A module that users import by its name stays, as a few words. Nothing is known here of any one
module; what can not be done safely is an error that says where.
"""
import ast
import builtins
import copy
import functools
import re

import profiles
import shortnames

PACKAGE, STAND_INS = "umqtt_full", "_cpython"
LITERAL = ast.Constant, ast.Name
STUBS = profiles.ROOT / "tools/stubs" / PACKAGE


class CompactError(Exception):
    """Something in the sources that can not be made compact."""


def sources(profile):
    """{file name: text} of a profile's compact build."""
    wanted = {f"{module}.py" for module in profiles.modules(profile)}
    return {file: text for file, text in whole()[0].items() if file in wanted}


@functools.lru_cache(maxsize=1)
def whole():
    """What build() makes of the whole library."""
    texts = {source.stem: _read(source) for source in profiles.sources("full")}
    programs = re.findall(r"^```python\n(.*?)^```", _read(profiles.ROOT / "README.md"), re.M | re.S)
    programs += map(_read, sorted((profiles.ROOT / "ports").rglob("*.py")))
    return build(texts, {file.stem: _read(file) for file in STUBS.glob("*.pyi")}, programs)


def _read(file):
    return file.read_text(encoding="utf-8")


def build(texts, stubs, programs=()):
    """({file name: text}, {private name: short name}, the modules that became one).

    `texts`: {module: its source}. `stubs`: {module: its stub} of those that users import. `programs`: texts that
    use the package. Raises CompactError.
    """
    trees = {module: _plain(module, ast.parse(text)) for module, text in texts.items()}
    stubs = {module: ast.parse(text) for module, text in stubs.items()}
    core = _order(trees)
    files = {module: _redirect(module, tree, core, trees) for module, tree in trees.items() if module not in core}
    shown = {module: stub for module, stub in stubs.items() if module in core[:-1]}
    whole, tops = _join(core, trees, {*files, *shown})
    files = {"__init__": whole, **files}
    programs = [ast.parse(text) for text in programs]
    short = shortnames.shorten(PACKAGE, {*texts}, [*files.values()], [*stubs.values()], programs)
    for module, stub in shown.items():
        again = sorted({name for name, origin in shortnames.bound(stub.body) if not origin} & tops)
        files[module] = ast.parse(f"from . import {', '.join(again)}" if again else "")
    return {f"{module}.py": ast.unparse(tree) + "\n" for module, tree in files.items()}, short, core


# -- one module


def _plain(module, tree):
    """Without docstrings, what is for CPython, and names for numbers."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *shortnames.SCOPES)) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    plain = _Plain()
    tree.body = [node for node in tree.body if not plain.is_number(node)]
    tree = _filled(plain.visit(tree))
    for node in ast.walk(tree):
        name = getattr(node, "id", "")
        if name == "const" or name[:1] == "_" and name in plain.numbers:
            raise CompactError(f"{module}: {name}: only as _X = const(..), once, at the top of a module")
        if isinstance(node, (ast.ImportFrom, ast.Import)) and STAND_INS in ast.unparse(node):
            raise CompactError(f"{module}: {STAND_INS}: only in an `if` of its own")
        if _calls(node, "getattr", "setattr", "hasattr", "delattr") and not isinstance(node.args[1], LITERAL):
            raise CompactError(f"{module}: {ast.unparse(node)}: a name that is put together")
    return tree


class _Plain(ast.NodeTransformer):
    """Puts numbers in place of their names, and takes away what is for CPython."""

    def __init__(self):
        self.numbers = {}

    def is_number(self, node):
        """Remember X = const(..): True where nothing of it need stay."""
        if not isinstance(node, ast.Assign) or not _calls(node.value, "const"):
            return False
        name = node.targets[0].id
        node.value = self.numbers[name] = self.visit(node.value.args[0])
        return name[:1] == "_"

    def visit_Name(self, node):
        known = isinstance(node.ctx, ast.Load) and node.id in self.numbers
        return copy.deepcopy(self.numbers[node.id]) if known else node

    def visit_If(self, node):
        self.generic_visit(node)
        mine = all(isinstance(n, ast.ImportFrom) and STAND_INS in (n.module, n.names[0].name) for n in node.body)
        return node.orelse if mine else node

    def visit_ImportFrom(self, node):
        node.names = [alias for alias in node.names if (node.module, alias.name) != ("micropython", "const")]
        return node if node.names else None


def _calls(node, *functions):
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) in functions


def _filled(tree):
    """A body that has become empty is a `pass`."""
    for node in ast.walk(tree):
        if getattr(node, "body", 0) == [] and not isinstance(node, ast.Module):
            node.body.append(ast.Pass())
    return tree


# -- the modules that become one


def _order(trees):
    """The modules that are loaded with the package, each behind those that it needs; __init__ is the last."""
    done, begun = [], []

    def load(module):
        if module in done:
            return
        if module in begun:
            raise CompactError(f"{module}: imported in a circle, by {begun[-1]}")
        begun.append(module)
        for node in shortnames.outer(trees[module].body):
            for name in _ours(module, node, trees):
                load(name)
        done.append(begun.pop())

    load("__init__")
    return done


def _ours(module, node, trees):
    """The modules of the package that an import names."""
    level, path = getattr(node, "level", 0), getattr(node, "module", None) or ""
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return []
    if not level and PACKAGE not in (part.split(".")[0] for part in (path, *(a.name for a in node.names))):
        return []
    found = [path] if path else [alias.name for alias in node.names if alias.name in trees]
    if level != 1 or node.names[0].name == "*" or not {*found} <= {*trees}:
        raise CompactError(f"{module}: {ast.unparse(node)}: not `from .module import name`, or no such module")
    return found


def _redirect(module, tree, core, trees):
    """Have a module import from the one module what it imported from those that became it."""

    class Imports(ast.NodeTransformer):
        def visit_ImportFrom(self, node):
            found = _ours(module, node, trees)
            if not {*found} & {*core}:
                return node
            whole = [alias for alias in node.names if not node.module and alias.name in core]
            parts = [alias for alias in node.names if alias not in whole]
            new = [ast.Import([ast.alias(PACKAGE, alias.asname or alias.name)]) for alias in whole]
            if module not in core:
                return new + [ast.ImportFrom(None, parts, 1)] * bool(parts)
            return new + [ast.parse(f"{a.asname} = {a.name}").body[0] for a in parts if a.asname]

        def visit_Call(self, node):
            self.generic_visit(node)
            if _calls(node, "once") and getattr(node.args[0], "value", None) in core:
                raise CompactError(f"{module}: {ast.unparse(node)}: it is loaded with the package")
            return node

    return _filled(Imports().visit(tree))


def _join(core, trees, others):
    """One tree of all in `core`, and the names at its top. `others`: the modules that are left beside it."""
    owners, body = {}, []
    for module in core:
        for node in _redirect(module, trees[module], core, trees).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):  # of equal ones the first
                node.names = [alias for alias in node.names
                              if shortnames.origin(node, alias) not in owners.get(alias.asname or alias.name, ())]
                if not node.names:
                    continue
            body.append(node)
            for name, origin in shortnames.bound([node]):
                what = origin or f"of {module}"
                first = owners.setdefault(name, (what, module))
                if what != first[0] and module != first[1]:
                    raise CompactError(f"{name}: {first[0]} in {first[1]}, and {what} in {module}")
                if name in others or hasattr(builtins, name):
                    raise CompactError(f"{name}: {what}, and a module or a builtin is called so, too")
    return ast.Module(body, []), {*owners}
