#!/usr/bin/env python3
"""Rejects two picks or shared accesses in one full expression.

g++ and clang evaluate arguments and operands in opposite orders, so `f(load(a), load(b))` is two different runs. One
access per full expression leaves nothing to choose. The two branches of ?: count as the larger of them.

    one_access.py ROOT [FILE...]     prints FILE:LINE: what, and exits with 1 when there is any

A tokenizer, not a compiler: it follows statements, lambdas, initialiser lists and the headers of if, for and while. What
counts: the functions of shared/door.h, pick() and below(), and the calls that are such an access inside (CALLS and
INPUT_CALLS here).
"""

import re
import sys
from pathlib import Path

# Of shared/door.h: named freely or behind `shared::`.
DOOR = {"load", "store", "fetch", "copy_out", "copy_in", "exchange", "fetch_or", "fetch_and", "compare_exchange",
        "rmb", "wmb", "mb"}
# Named in any way.
PICK = {"pick", "below"}
# Only as a member of an object: the ends of rings, and channels.
CALLS = {"take", "put", "push", "publish", "sleep_unless_work", "notify"}
# Only of an object of one of these names: the bytes of a fuzzer.
INPUT = {"input", "input_"}
INPUT_CALLS = {"byte", "number", "text"}
# Their operands are never evaluated.
UNEVALUATED = {"sizeof", "alignof", "decltype", "noexcept", "requires", "static_assert", "typeid"}

FOLDERS = ("include", "sim", "src", "tests")

TOKEN = re.compile(r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")
  | (?P<text>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"|(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
  | (?P<number>\.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign>::|->\*?|<<=|>>=|\+\+|--|&&|\|\||[<>=!+\-*/%&|^]=|\.\.\.|.)
""", re.VERBOSE | re.DOTALL)

DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE | re.DOTALL)

CLOSER = {"(": ")", "[": "]", "{": "}"}


class Token:
    def __init__(self, text, line):
        self.text = text
        self.line = line


class Group:
    """A bracket with what is inside; `opener` is '(', '[' or '{'."""

    def __init__(self, opener, line):
        self.text = opener
        self.line = line
        self.items = []


def tokens_of(source):
    source = DIRECTIVE.sub(lambda m: "\n" * m.group().count("\n"), source)
    line = 1
    for match in TOKEN.finditer(source):
        text = match.group()
        if match.lastgroup in ("word", "sign"):
            yield Token(text, line)
        elif match.lastgroup != "space":
            yield Token("0", line)
        line += text.count("\n")


def tree_of(source):
    root = Group("{", 0)
    stack = [root]
    for token in tokens_of(source):
        if token.text in CLOSER:
            group = Group(token.text, token.line)
            stack[-1].items.append(group)
            stack.append(group)
        elif token.text in (")", "]", "}"):
            if len(stack) > 1:
                stack.pop()
        else:
            stack[-1].items.append(token)
    return root


def text(items, i):
    return items[i].text if 0 <= i < len(items) else ""


def is_word(t):
    return bool(t) and (t[0].isalpha() or t[0] == "_")


class Finder:
    def __init__(self):
        self.found = []  # (line, [(line, name)])

    def full_expression(self, items):
        """Counts the accesses of one full expression; bodies inside it are statements of their own."""
        hits = self.accesses(items)
        if len(hits) > 1:
            self.found.append(hits)

    def accesses(self, items):
        """Accesses that are evaluated together. `?` splits: only one branch is taken."""
        for i, item in enumerate(items):
            if item.text == "?":
                colon = self.matching_colon(items, i)
                if colon is None:
                    break
                end = next((k for k in range(colon, len(items)) if items[k].text == ","), len(items))
                branches = [self.accesses(items[i + 1:colon]), self.accesses(items[colon + 1:end])]
                return self.plain(items[:i]) + max(branches, key=len) + self.accesses(items[end:])
        return self.plain(items)

    @staticmethod
    def matching_colon(items, question):
        depth = 0
        for k in range(question + 1, len(items)):
            if items[k].text == "?":
                depth += 1
            elif items[k].text == ":":
                if depth == 0:
                    return k
                depth -= 1
        return None

    def plain(self, items):
        hits = []
        i = 0
        while i < len(items):
            item = items[i]
            if item.text in UNEVALUATED and text(items, i + 1) == "(":
                i += 2
                continue
            if isinstance(item, Group):
                if item.text == "{" and self.opens_lambda(items, i):
                    self.statements(item.items)
                else:
                    hits += self.accesses(item.items)
            elif self.is_access(items, i):
                hits.append((item.line, item.text))
            i += 1
        return hits

    @staticmethod
    def is_access(items, i):
        name = items[i].text
        if name not in DOOR | PICK | CALLS | INPUT_CALLS:
            return False
        after = i + 1
        if text(items, after) == "<":
            # load<T>(…): a template argument list on the way to the bracket.
            depth = 0
            while after < len(items):
                if items[after].text == "<":
                    depth += 1
                elif items[after].text == ">":
                    depth -= 1
                elif isinstance(items[after], Group) and items[after].text == "{":
                    return False
                after += 1
                if depth == 0:
                    break
        if text(items, after) != "(":
            return False
        before = text(items, i - 1)
        member = before in (".", "->")
        if name in CALLS:
            return member
        if name in INPUT_CALLS - PICK:
            return member and text(items, i - 2) in INPUT
        if name in PICK or not member:
            return before != "::" or name in PICK or text(items, i - 2) == "shared"
        return text(items, i - 2) == "watcher"

    @staticmethod
    def opens_lambda(items, i):
        """Is this brace inside an expression the body of a lambda? Looks back to its introducer."""
        k = i - 1
        while k >= 0 and (is_word(items[k].text) or items[k].text in ("->", "::", "*", "&", "<", ">", ",")):
            if items[k].text == ",":
                return False
            k -= 1
        if k >= 0 and items[k].text == "(":
            k -= 1
            while k >= 0 and items[k].text == ">":  # a template lambda: []<class T>(…)
                while k >= 0 and items[k].text != "<":
                    k -= 1
                k -= 1
        if k < 0 or items[k].text != "[":
            return False
        # An index (a[i]{…} is no expression) and an introducer differ in what stands before.
        return k == 0 or not (is_word(items[k - 1].text) and items[k - 1].text not in ("return", "co_return")
                              or items[k - 1].text in (")", "]"))

    def statements(self, items):
        """What stands between braces: definitions and statements; each full expression is looked at once."""
        start = 0
        i = 0
        while i < len(items):
            t = items[i].text
            if t == ";":
                self.declarators(items[start:i])
                start = i + 1
            elif t in ("if", "while", "for", "switch") and self.header(items, i) is not None:
                at = self.header(items, i)
                self.declarators(items[start:i])
                for part in self.split(items[at].items, ";"):
                    self.range_or_declarators(part) if t == "for" else self.declarators(part)
                i = at
                start = i + 1
            elif t in ("else", "do", "try") or (t == ":" and self.ends_label(items, start, i)):
                start = i + 1
            elif t == "{" and self.opens_body(items, start, i):
                self.definition_head(items[start:i])
                self.statements(items[i].items)
                start = i + 1
            i += 1
        self.declarators(items[start:])

    @staticmethod
    def header(items, i):
        at = i + 2 if text(items, i + 1) == "constexpr" else i + 1
        return at if text(items, at) == "(" else None

    @staticmethod
    def ends_label(items, start, i):
        head = [x.text for x in items[start:i]]
        return bool(head) and (head[0] in ("case", "default", "public", "private", "protected") and "?" not in head)

    @staticmethod
    def opens_body(items, start, i):
        """Is this brace at statement level a body (of a block, a function, a class), or an initialiser?"""
        head = [x.text for x in items[start:i]]
        if not head:
            return True
        if Finder.opens_lambda(items[start:], i - start) and head[0] != "[":
            return False
        if head[0] in ("namespace", "extern", "enum") or any(w in head for w in ("class", "struct", "union")):
            return "=" not in head and "return" not in head
        if "=" in head and not any(h == "operator" for h in head) or "return" in head:
            return False
        last = head[-1]
        if Finder.member_initialisers(items[start:i]) is not None:
            # a_{…} initialises; the brace after a closed initialiser is the body.
            return last in ("(", "{")
        return last == "(" or last in ("const", "override", "final", "noexcept", "mutable", "try") or \
            (last != "{" and "->" in head and "(" in head)

    @staticmethod
    def member_initialisers(head):
        """The index after the ':' of a constructor's member initialisers, or None."""
        for k in range(1, len(head)):
            if head[k].text == ":" and (head[k - 1].text in ("(", "noexcept")):
                return k + 1
            if head[k].text == "?":
                return None
        return None

    def definition_head(self, head):
        """Default arguments, and member initialisers, each a full expression."""
        first = self.member_initialisers(head)
        if first is None:
            self.declarators(head)
            return
        self.declarators(head[:first - 1])
        for part in self.split(head[first:], ","):
            self.full_expression(part)

    def declarators(self, items):
        """`T a = x, b = y;` has two full expressions, and the comma operator orders what it joins."""
        for part in self.split(items, ","):
            self.full_expression(part)

    def range_or_declarators(self, items):
        for part in self.split(items, ":"):
            self.declarators(part)

    @staticmethod
    def split(items, at):
        part, parts = [], []
        for item in items:
            if item.text == at and not isinstance(item, Group):
                parts.append(part)
                part = []
            else:
                part.append(item)
        parts.append(part)
        return parts


def check(source):
    """The offending full expressions of a source: lists of (line, name)."""
    finder = Finder()
    finder.statements(tree_of(source).items)
    return finder.found


def sources(root):
    for folder in FOLDERS:
        for suffix in ("h", "cpp", "c"):
            yield from sorted((root / folder).rglob(f"*.{suffix}"))


def main():
    root = Path(sys.argv[1])
    files = [Path(f) for f in sys.argv[2:]] or list(sources(root))
    if not files:
        sys.exit(f"one_access: no source below {root}")
    bad = 0
    for file in files:
        for hits in check(file.read_text()):
            bad += 1
            names = ", ".join(name for _, name in hits)
            print(f"{file.relative_to(root) if file.is_relative_to(root) else file}:{hits[0][0]}: "
                  f"{len(hits)} picks or shared accesses in one full expression ({names}); name the first in a variable")
    print(f"{len(files)} files, {bad} full expressions with two picks or shared accesses")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
