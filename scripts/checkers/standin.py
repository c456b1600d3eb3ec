"""Stand-ins for packages that a trainer imports and its data part does not use.

A name of a stand-in is a class that does nothing: it can be subclassed, called
and used as a decorator, so that modules load. What judges a line is never one:
were it called, its answer would be nothing, and the judges' self-test (a good
line accepted, a broken one refused) would fail.
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


def stand_in(*packages):
    """Makes packages importable that are not installed."""
    import transformers.utils

    # It asks once whether there is torch, and must hear the truth.
    transformers.utils.is_torch_available()
    sys.meta_path.insert(0, _Finder(set(packages)))


def without_init(package):
    """Makes a package's modules importable without running its __init__, which
    would import all the others."""
    spec = importlib.util.find_spec(package)
    module = types.ModuleType(package)
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = module
    return module
