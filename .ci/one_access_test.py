#!/usr/bin/env python3
"""one_access.py fires on what it is for, and stays silent on what is one access at a time."""

import unittest

from one_access import check

BAD = {
    "arguments": "void f() { g(shared::load<Index>(w, 0), shared::load<Index>(w, 4)); }",
    "operands": "bool f() { return shared::load<Index>(w, 0) != shared::load<Index>(w, 4); }",
    "a pick in an argument of an access": "void f() { shared::store<int>(w, 0, choices.pick(actor, kind, 3)); }",
    "two picks": "int f() { const int x = c.pick(a, 2) + c.pick(a, 3); }",
    "a pick through a pointer": "int f() { return c->pick(a, 2) * pick(b, 3); }",
    "an initialiser list": "void f() { std::array<int, 2> a{shared::load<int>(w, 0), shared::load<int>(w, 4)}; }",
    "the condition of an if": "void f() { if (ring.take() == other.take()) return; }",
    "the condition of a while": "void f() { while (shared::load<int>(w, 0) < shared::load<int>(w, 4)) {} }",
    "the step of a for": "void f() { for (int i = 0; i < 3; i += c.pick(a, 2) + c.pick(a, 2)) {} }",
    "inside a lambda": "void f() { spawn([&] { g(shared::fetch<R>(w, 0), shared::fetch<R>(w, 8)); }); }",
    "inside a method of a class": "class A : public B { int f() const { return x.take() + y.take(); } };",
    "a condition and its branch": "int f() { return shared::load<int>(w, 0) ? shared::load<int>(w, 4) : 0; }",
    "in a macro's arguments": "TEST(A, B) { EXPECT_EQ(ring.take(), other.take()); }",
    "over two lines": "void f() {\n    g(shared::load<int>(w, 0),\n      shared::load<int>(w, 4));\n}",
    "in one member initialiser": "A::A(W w) : a_(g(shared::load<int>(w, 0), shared::load<int>(w, 4))), b_{1} {}",
    "without a qualifier": "namespace xenrig::shared { int f(W w) { return load<int>(w, 0) + load<int>(w, 4); } }",
    "after a comment with a brace": "void f() { /* { */ g(a.pick(x, 1), a.pick(x, 2)); // }\n}",
    "after a raw string": 'void f() { s(R"(})"); g(a.pick(x, 1), a.pick(x, 2)); }',
    "after a digit separator": "void f() { int a = 1'000; g(a.pick(x, 1'0), a.pick(x, 2)); }",
    "joined by &&": "bool f() { return shared::load<int>(w, 0) && shared::load<int>(w, 4); }",
    "in an else": "void f() { if (a) b(); else g(x.pick(a, 1), x.pick(a, 2)); }",
    "behind a case": "void f() { switch (a) { case 1: g(x.pick(a, 1), x.pick(a, 2)); } }",
    "two bounded draws": "int f() { return one_of(a[random.below(3)], below(4)); }",
    "two values of a fuzzer's bytes": "void f() { g(input_.number(), input_.text(9)); }",
    "in a noexcept lambda": "void f() { auto h = [&]() noexcept { return x.pick(a, 1) + x.pick(a, 2); }; }",
    "in a trailing-return lambda": "void f() { auto h = [&](int a) -> int { return x.pick(a, 1) + x.pick(a, 2); }; }",
}

GOOD = {
    "statements": "void f() { shared::store<int>(w, 0, 1); shared::mb(); shared::load<int>(w, 4); }",
    "if and its branch": "void f() { if (shared::load<int>(w, 0)) shared::store<int>(w, 4, 1); else shared::mb(); }",
    "the three parts of a for": "void f() { for (int i = c.pick(a, 2); i < c.pick(a, 3); i += c.pick(a, 4)) {} }",
    "a lambda's statements": "void f() { spawn([&] { shared::mb(); shared::wmb(); }); }",
    "two lambdas": "void f() { both([&] { x.pick(a, 1); }, [] { x.pick(a, 2); }); }",
    "the branches of ?:": "int f() { return c ? shared::load<int>(w, 0) : shared::load<int>(w, 4); }",
    "member initialisers": "A::A(W w) : a_(shared::load<int>(w, 0)), b_{shared::load<int>(w, 4)} { shared::mb(); }",
    "two declarators": "void f() { int a = x.pick(s, 1), b = x.pick(s, 2); }",
    "declarations of a class": "class A { int take(); int pick(int, int); void put(int x); };",
    "an atomic of our own": "void f() { g(flag.load(), other.load(), std::exchange(a, b)); }",
    "memory of the machine": "void f() { g(raw::load<int>(p), raw::load<int>(q)); }",
    "what is never evaluated": "void f() { g(sizeof(shared::load<int>(w, 0)), shared::load<int>(w, 4)); }",
    "strings and comments": 'void f() { g("pick(a) pick(b)"); /* x.pick(a) + x.pick(b) */ }',
    "a macro's body": "#define TWO(a) a.pick(1, 2) + \\\n    a.pick(2, 3)\nint x;",
    "a body after the condition": "void f() { while (ring.take()) { ring.put(x); } ring.push(); }",
    "do and while": "void f() { do { ring.put(x); } while (ring.take()); }",
    "cases": "void f() { switch (x.pick(a, 2)) { case 0: ring.put(y); break; default: ring.push(); } }",
    "a local class": "void f() { struct L { int g() { return x.pick(a, 1); } int h() { return x.pick(a, 2); } }; }",
    "a function with a trailing return type": "auto f() -> int { shared::mb(); return x.pick(a, 2); }",
    "a lambda that is kept": "void f() { auto h = [this] { shared::mb(); shared::wmb(); }; h(); shared::mb(); }",
    "a lambda with parameters": "void f() { each([&](int i) { ring.put(i); ring.push(); }); }",
    "a decoder's fields": "void f() { g(in.number(), in.text()); }",
    "a noexcept move": "A(A&& o) noexcept : a_(o.take()), b_(o.take()) {}",
}


class OneAccess(unittest.TestCase):
    def test_two_in_one_full_expression_are_found(self):
        for what, source in BAD.items():
            with self.subTest(what):
                self.assertEqual(len(check(source)), 1, source)

    def test_one_at_a_time_is_silent(self):
        for what, source in GOOD.items():
            with self.subTest(what):
                self.assertEqual(check(source), [], source)

    def test_the_place_is_that_of_the_first(self):
        [hits] = check("\n\nvoid f() {\n    g(x.pick(a, 1),\n      x.pick(a, 2));\n}\n")
        self.assertEqual(hits, [(4, "pick"), (5, "pick")])


if __name__ == "__main__":
    unittest.main()
