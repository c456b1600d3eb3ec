"""Stand-ins for packages that a trainer imports and its data part, or its
configuration, does not use. scripts/trainers uses them, too.

A name of a stand-in is a class that does nothing: it can be subclassed, called
and used as a decorator, so that modules load. What judges a line or a
configuration is never one: were it called, its answer would be nothing, and the
checks' own tests (a good one accepted, a broken one refused) would fail.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types


class _Anything(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _anything(name)

    def __or__(cls, other):
        return cls

    __ror__ = __or__

    def __getitem__(cls, item):
        return cls


def _anything(name):
    return _Anything(name, (), {"__init__": lambda self, *a, **k: None, "__call__": lambda self, f=None, *a, **k: f})


class _Module(types.ModuleType):
    __path__ = []
    __version__ = "0"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _anything(name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Module(spec.name)

    def exec_module(self, module):
        pass


def packages(*names):
    """Makes packages importable that are not there."""
    sys.meta_path.insert(0, _Finder(set(names)))


def stand_in(*names):
    """The same, where transformers is to hear the truth about torch: it asks once
    whether there is one."""
    import transformers.utils

    transformers.utils.is_torch_available()
    packages(*names)


def modules(**given):
    """Puts a stand-in in the place of a module that is there, with the values
    that its importers read; underscores in the names are dots."""
    for name, values in given.items():
        name = name.replace("__", ".")
        module = _Module(name)
        for key, value in values.items():
            setattr(module, key, value)
        sys.modules[name] = module


def without_init(*names):
    """Makes packages' modules importable without running their __init__, which
    would import all the others. Gives the last."""
    for name in names:
        spec = importlib.util.find_spec(name)
        module = types.ModuleType(name)
        module.__path__ = list(spec.submodule_search_locations)
        module.__spec__, module.__version__ = spec, "0"
        sys.modules[name] = module
    return module
