"""A dashboard as the rules see it, and the register of the rules.

A rule is a function of a Page that yields (panel or None, index of the target or None, message).
"""
from dataclasses import dataclass, field

from queries import fill, parse

RULES = {}


@dataclass
class Page:
    """A dashboard, and what it is compared with."""

    data: dict
    uids: set = field(default_factory=set)
    limits: dict = field(default_factory=dict)

    @property
    def variables(self):
        return self.data["templating"]["list"]

    @property
    def panels(self):
        return [panel for panel in self.data["panels"] if panel["type"] != "row"]

    def variable(self, name):
        return next((v for v in self.variables if v["name"] == name), None)

    def filled(self, expr):
        texts = {v["name"]: "" for v in self.variables if v["type"] == "textbox"}
        return fill(expr, texts)

    def targets(self, kind):
        """(panel, index, expression with its variables filled in, target) of the targets of one kind of source."""
        for panel in self.panels:
            for index, target in enumerate(panel.get("targets", [])):
                if target["datasource"]["type"] == kind:
                    yield panel, index, self.filled(target["expr"]), target

    def parsed(self):
        """(panel, index, syntax tree, target) of the PromQL that can be parsed; what cannot has a rule of its own."""
        for panel, index, expr, target in self.targets("prometheus"):
            try:
                yield panel, index, parse(expr), target
            except ValueError:
                pass


def rule(name):
    def register(function):
        RULES[name] = function
        return function

    return register


def lint(page):
    """[(rule, panel's title or "", index of the target or None, message)]"""
    found = []
    for name, check in RULES.items():
        for panel, index, message in check(page):
            found.append((name, panel["title"] if panel else "", index, message))
    return found
