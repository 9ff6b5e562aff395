"""Rules that the tests' own files keep."""

import ast
import pathlib

TESTS = pathlib.Path(__file__).parents[2]
FILES = sorted(TESTS.rglob("*.py"))


def modules(tree: ast.AST) -> set[str]:
    """Return the names of the modules that a file imports, and of what it takes from them."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module, *(f"{module}.{name.name}" for name in names)}
    return found


def is_test_file(module: str) -> bool:
    """Tell whether a module's name is that of a file of tests of ours."""
    file = TESTS.joinpath(*module.split(".")).with_suffix(".py")
    return file.name.startswith("test_") and file.exists()


def test_no_file_imports_from_a_file_of_tests() -> None:
    """What two of them need lies in fakes or scenes, or beside them."""
    taken = {file: {name for name in modules(ast.parse(file.read_text())) if is_test_file(name)} for file in FILES}
    assert {file.relative_to(TESTS).as_posix(): names for file, names in taken.items() if names} == {}


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {file.relative_to(TESTS).as_posix(): len(file.read_text().splitlines()) for file in FILES}
    assert {file: length for file, length in lengths.items() if length > 300} == {}
