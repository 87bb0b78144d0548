//! Tests of files that are refused.

use ami_bake_import::import;

use crate::fixture::{Fixture, shown};

fn refused(name: &str, text: &str) -> String {
    let fixture = Fixture::new(&[]);
    shown(&import(&fixture.request(&[(name, text)])).unwrap_err())
}

#[test]
fn a_syntax_error_is_shown_with_its_location() {
    let text = refused("web.json", "{\n  \"builders\": [{\"type\": \"docker\"}],\n}");
    assert!(text.contains("web.json:2:35") && text.contains("trailing comma") && text.contains('^'), "{text}");
    let text = refused("stack.yml", "Resources:\n  a: [1\n");
    assert!(text.contains("stack.yml:"), "{text}");
}

#[test]
fn an_unknown_file_is_refused_with_what_is_supported() {
    assert!(refused("x.json", "{\"a\": 1}").contains("not a file that can be imported"));
}

#[test]
fn a_template_is_imported_alone() {
    let fixture = Fixture::new(&[]);
    let template = "{\"builders\": []}";
    let refused = import(&fixture.request(&[("a.json", template), ("b.json", template)])).unwrap_err();
    assert!(shown(&refused).contains("alone"));
}

#[test]
fn without_anything_to_import_there_is_no_manifest() {
    let fixture = Fixture::new(&[]);
    let done = fixture.import(&fixture.request(&[("a.json", "{\"builders\": [{\"type\": \"lxd\", \"image\": \"x\"}], \"provisioners\": [{\"type\": \"shell\", \"inline\": [\"x\"]}]}")]));
    assert!(done.imported.manifest.is_none());
    done.reports("builders[0]", "`lxd`").reports("provisioners[0]", "no builder");
}
