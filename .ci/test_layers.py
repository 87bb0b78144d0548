"""Tests of .ci/layers, each on a small crate of its own."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import sys
import tempfile
import textwrap
import unittest

SCRIPT = pathlib.Path(__file__).with_name("layers")


def load():
    loader = importlib.machinery.SourceFileLoader("layers", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("layers", loader))
    # Dataclasses look up their module.
    sys.modules["layers"] = module
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
layers = load()

RING = {"lib.rs": "mod a; mod b; mod c;", "a.rs": "use crate::b::B;", "b.rs": "use crate::c::C;", "c.rs": "use crate::a::A;"}


class Crate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, pathlib.Path.cwd())
        os.chdir(folder.name)
        self.source = pathlib.Path("src")

    def write(self, files):
        for name, text in files.items():
            file = self.source / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")

    def edges(self, files, root="lib.rs"):
        """{file: imported files} of a crate, without files that import nothing."""
        self.write(files)
        found = layers.imports(layers.read_root(self.source / root))
        return {self.name(file): sorted(map(self.name, targets)) for file, targets in found.items() if targets}

    def name(self, file):
        return file.relative_to(self.source).as_posix()

    def check(self, files, allowed=(2, 1)):
        self.write(files)
        return layers.check(self.source, allowed)


class Imports(Crate):
    def test_grouped_nested_renamed_and_relative(self):
        found = self.edges({
            "lib.rs": "mod a; mod b; mod c; mod d { pub mod e; }",
            "a.rs": "use crate::{b::{self, B as Other}, d::e::{E, F}}; use super::c; use std::b::B; fn f() { c::c() }",
            "b.rs": "pub struct B;",
            "c.rs": "pub fn c() { crate::b::B; self::own(); } fn own() {}",
            "d/e.rs": "use super::super::b::B;",
        })
        self.assertEqual(found, {"a.rs": ["b.rs", "c.rs", "d/e.rs"], "c.rs": ["b.rs"], "d/e.rs": ["b.rs"]})

    def test_a_re_export_leads_to_the_file_that_defines_the_name(self):
        found = self.edges({
            "lib.rs": "mod a; mod b;",
            "a.rs": "use crate::b::{Deep, Glob, Renamed};",
            "b/mod.rs": "mod deep; mod glob; pub(crate) use deep::{Deep, inner::Name as Renamed}; pub use glob::*;",
            "b/deep/mod.rs": "pub mod inner; pub struct Deep;",
            "b/deep/inner.rs": "pub struct Name;",
            "b/glob.rs": "pub enum Glob { One }",
        })
        self.assertEqual(found, {"a.rs": ["b/deep/inner.rs", "b/deep/mod.rs", "b/glob.rs"]})

    def test_a_re_export_is_an_import_once_the_file_uses_the_name(self):
        found = self.edges({
            "lib.rs": "mod a;",
            "a/mod.rs": "mod one; mod two; pub use one::One; pub use two::two; fn f(_: One) {}",
            "a/one.rs": "pub struct One;",
            "a/two.rs": "use super::One; pub fn two(_: One) {}",
        })
        self.assertEqual(found, {"a/mod.rs": ["a/one.rs"], "a/two.rs": ["a/one.rs"]})

    def test_paths_in_code(self):
        found = self.edges({
            "lib.rs": "mod a; mod b; mod c; mod e; #[macro_use] mod d;",
            "a.rs": "pub(in crate::b) fn f(x: &crate::c::C) -> super::e::E<'_> { g(x.crate_::b) }",
            "b.rs": "mod x { fn f() -> impl Sized + use<> { super::super::c::c() } }",
            "c.rs": "pub struct C;",
            "d.rs": "macro_rules! m { () => { $crate::c::C } }",
            "e.rs": "pub struct E<'a>(&'a str);",
        })
        self.assertEqual(found, {"a.rs": ["c.rs", "e.rs"], "b.rs": ["c.rs"], "d.rs": ["c.rs"]})

    def test_a_glob_brings_only_what_the_file_names(self):
        found = self.edges({
            "lib.rs": "mod a; mod b;",
            "a.rs": "use crate::b::*; fn f(_: One) {}",
            "b/mod.rs": "mod one; mod two; pub use one::One; pub use two::Two;",
            "b/one.rs": "pub struct One;",
            "b/two.rs": "pub struct Two;",
        })
        self.assertEqual(found, {"a.rs": ["b/one.rs"]})

    def test_the_variants_of_an_enum_come_from_its_file(self):
        found = self.edges({
            "lib.rs": "mod a; mod b;",
            "a.rs": "fn f() { use crate::b::Kind::*; }",
            "b.rs": "pub enum Kind { A }",
        })
        self.assertEqual(found, {"a.rs": ["b.rs"]})

    def test_comments_and_text_import_nothing(self):
        found = self.edges({
            "lib.rs": "mod a; mod b;",
            "a.rs": '''
                //! [`crate::b::B`]
                /* use crate::b::B; */
                const A: &str = "\\"crate::b::B"; const B: &[u8] = br#"" crate::b::B "#;
                fn f<'a>(_: &'a str) -> char { match 'x' { '"' => '\\'', _ => '"' } }
                const C: &str = "crate::b::B";
            ''',
            "b.rs": "",
        })
        self.assertEqual(found, {})

    def test_what_only_tests_see_is_left_out(self):
        found = self.edges({
            "lib.rs": "mod a; mod b; mod c; #[cfg(test)] mod fixture;",
            "a.rs": """
                #[cfg(test)]
                use crate::b::{B, b};
                #[cfg(all(test, unix))]
                #[derive(Debug)]
                pub(crate) struct Fake { b: crate::b::B }
                #[cfg(test)]
                const X: [crate::b::B; 2] = { [crate::b::B; 2] };
                struct Both { #[cfg(test)] fake: crate::b::B, real: crate::c::C }
                #[cfg(test)]
                mod tests { use crate::b::B; }
            """,
            "b.rs": "#[cfg(not(test))] use crate::c::C;",
            "c.rs": "",
            "fixture.rs": "use crate::b::B;",
        })
        self.assertEqual(found, {"a.rs": ["c.rs"], "b.rs": ["c.rs"]})

    def test_a_program_is_a_crate_of_its_own(self):
        found = self.edges({"main.rs": "mod a; fn main() { a::a() }", "a.rs": "pub fn a() {}"}, "main.rs")
        self.assertEqual(found, {"main.rs": ["a.rs"]})


class Layers(Crate):
    def test_a_layer_imports_only_from_those_below(self):
        self.write({
            "lib.rs": "mod a; mod b; mod c; mod d; mod e;",
            "a.rs": "use crate::{b::B, d::D};",
            "b.rs": "use crate::c::C;",
            "c.rs": "use crate::b::B;",
            "d.rs": "",
            "e/mod.rs": "use crate::d::D;",
        })
        self.assertEqual(layers.layers(self.source), [["b", "c", "d", "lib"], ["a", "e"]])
        page = layers.with_table("A\n<!-- layers -->\nold\n<!-- end of layers -->\nB\n", [self.source])
        row = "| `src` | `b` `c` `d` → `a` `e` |"
        table = f"| crate | layers, bottom to top |\n|---|---|\n{row}\n"
        self.assertEqual(page, f"A\n<!-- layers -->\n{table}<!-- end of layers -->\nB\n")


class Circles(Crate):
    def test_two_files_may_import_each_other(self):
        self.assertEqual(self.check({"lib.rs": "mod a; mod b;", "a.rs": "use crate::b::B;", "b.rs": "use crate::a::A;"}), [])

    def test_three_may_not(self):
        self.assertEqual(self.check(RING), [
            "src: 3 files import each other in a circle: a.rs b.rs c.rs",
            "  src/a.rs:1 takes crate::b::B from src/b.rs",
            "  src/b.rs:1 takes crate::c::C from src/c.rs",
            "  src/c.rs:1 takes crate::a::A from src/a.rs",
        ])

    def test_folders_may_not_at_all(self):
        complaints = self.check({
            "lib.rs": "mod a; mod b;",
            "a/mod.rs": "mod one; mod two; pub use one::One;",
            "a/one.rs": "pub struct One;",
            "a/two.rs": "use crate::b::B;",
            "b.rs": "mod c; pub struct B;",
            "b/c.rs": "use crate::a::One;",
        })
        self.assertEqual(complaints, [
            "src: 2 folders import each other in a circle: a b",
            "  src/a/two.rs:1 takes crate::b::B from src/b.rs",
            "  src/b/c.rs:1 takes crate::a::One from src/a/one.rs",
        ])

    def test_a_wide_circle_may_be_allowed_for_a_while(self):
        self.assertEqual(self.check(RING, allowed=(3, 1)), [])

    def test_an_allowance_that_is_no_longer_needed_fails(self):
        for allowed in [(4, 1), (3, 2)]:
            complaints = self.check(RING, allowed)
            self.assertEqual(complaints, [f"src: ALLOWED in .ci/layers is {allowed}, only (3, 1) is needed: lower it"])

    def test_the_command_fails_with_its_complaints(self):
        self.write(RING)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(layers.main([self.source], {"gone": (3, 1)}), 1)
        self.assertIn("3 files import each other", said.getvalue())
        self.assertIn("gone: ALLOWED", said.getvalue())
        self.assertEqual(layers.main([self.source], {"src": (3, 1)}), 0)


if __name__ == "__main__":
    unittest.main()
