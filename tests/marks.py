"""Which tests are slow, and which run one after another in one process."""

import functools
import inspect
import types

import pytest

# Who calls one of these starts a process, a pipeline, a training or a browser.
_SLOW = {"subprocess", "fork", "LocalRunner", "run_component", "run_fn", "fit", "tuner_fn", "chromium"}


def is_slow(item: pytest.Function) -> bool:
    """Whether a test, one of its fixtures or a function of tests/ that one of them calls starts something slow."""
    fixtures = [one.func for definitions in item._fixtureinfo.name2fixturedefs.values() for one in definitions]
    return any(_starts_something_slow(inspect.unwrap(function)) for function in (item.function, *fixtures))


@functools.cache
def _starts_something_slow(function: types.FunctionType) -> bool:
    seen, left = {function}, [function]
    while left:
        one = left.pop()
        names = _names(one.__code__)
        if names & _SLOW:
            return True
        called = {other for name in names for other in _functions(one.__globals__.get(name))}
        left += called - seen
        seen |= called
    return False


def _names(code: types.CodeType) -> set[str]:
    """The names that a function and the functions inside of it read."""
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*inner)


def _functions(value) -> list[types.FunctionType]:
    """The functions behind a name, if it is one of tests/."""
    if not str(getattr(value, "__module__", "")).startswith("tests."):
        return []
    found = vars(value).values() if isinstance(value, type) else [value]
    found = [getattr(one, "fget", None) or one for one in found]
    return [inspect.unwrap(one) for one in found if isinstance(inspect.unwrap(one), types.FunctionType)]
