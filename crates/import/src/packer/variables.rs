//! `variables`, `sensitive-variables` and files of variables.

use std::cell::RefCell;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::credential;
use crate::input::Reader;
use crate::template::{Expr, Part, Scope, Trouble, Words, evaluate};
use crate::yaml::{Map, Value};

/// All variables of a template.
pub(crate) struct Variables<'a> {
    list: Vec<Variable<'a>>,
    now: Option<Timestamp>,
    folder: String,
    /// Variables that are being evaluated, against circles.
    open: RefCell<Vec<String>>,
    /// Names that the template uses and does not declare.
    undeclared: RefCell<BTreeSet<String>>,
    /// What the command line gives beside the variables of the list.
    extra: Vec<(String, String)>,
}

struct Variable<'a> {
    /// Its name in the template.
    name: String,
    /// Its name in the manifest.
    own: String,
    default: Reader<'a>,
    /// Its value of a file of variables, the last one.
    given: Option<Reader<'a>>,
    /// Its value of the command line.
    set: Option<String>,
    sensitive: bool,
    /// It stands in the template; else only files or the command line give it.
    declared: bool,
}

impl<'a> Variables<'a> {
    /// The variables of a template with all that gives them values.
    pub(crate) fn read(
        template: &Reader<'a>,
        files: &[Reader<'a>],
        sets: &[(String, String)],
        now: Option<Timestamp>,
        folder: &str,
    ) -> Self {
        let sensitive: Vec<&str> =
            template.get("sensitive-variables").iter().flat_map(Reader::items).filter_map(|item| item.text()).collect();
        let mut variables: Vec<Variable> = Vec::new();
        let entries = template.get("variables");
        if let Some(empty) = entries.as_ref().filter(|entries| entries.entries().is_empty() && !entries.is_list()) {
            empty.tick();
        }
        for (name, default) in entries.iter().flat_map(Reader::entries) {
            let variable = Variable::new(name, default, files, sets, &variables);
            variables.push(Variable { sensitive: sensitive.contains(&name), declared: true, ..variable });
        }
        // Packer takes values of variables that the template does not declare, too.
        for file in files {
            for (name, value) in file.entries() {
                if !variables.iter().any(|known| known.name == name) {
                    let variable = Variable::new(name, value, files, sets, &variables);
                    variables.push(Variable { sensitive: sensitive.contains(&name), ..variable });
                }
            }
        }
        let unknown = |(name, _): &&(String, String)| !variables.iter().any(|known| known.name == *name);
        Self {
            extra: sets.iter().filter(unknown).cloned().collect(),
            list: variables,
            now,
            folder: folder.to_owned(),
            open: RefCell::default(),
            undeclared: RefCell::default(),
        }
    }

    /// `vars` and `secrets` of a manifest that says `text`; what it does not use is told.
    pub(crate) fn write(&self, text: &str, typed: &BTreeSet<String>) -> (Map, Vec<Value>) {
        let mut vars = Map::default();
        let mut secrets: Vec<Value> = Vec::new();
        for variable in &self.list {
            if let Some(secret) = Self::secret(variable) {
                Self::write_secret(variable, &secret, text, &mut secrets);
                continue;
            }
            if !uses(text, &format!("vars.{}", variable.own)) {
                let why = if credential::named(&variable.name) {
                    "it is a credential, and nothing that came over uses it"
                } else if !variable.declared {
                    "the template has no such variable, and nothing that came over uses it"
                } else {
                    "nothing that came over uses it"
                };
                variable.tick();
                variable.default.drop(why, "");
                if let Some(given) = &variable.given {
                    given.drop(why, "");
                }
                continue;
            }
            variable.tick();
            if variable.own != variable.name {
                variable.default.changed(format!("the variable is called `{}` now", variable.own), "");
            }
            let needed = typed.contains(&format!("!vars.{}", variable.own));
            let value = match self.definition(variable) {
                _ if needed => Value::Raw("null".to_owned()),
                Ok(Some(words)) => value(&words, typed.contains(&format!("vars.{}", variable.own))),
                _ => Value::Raw("null".to_owned()),
            };
            if !variable.declared {
                variable.default.changed("the template uses this variable without declaring it", "");
            }
            vars.set_from(variable.own.as_str(), value, variable.given.as_ref().unwrap_or(&variable.default));
        }
        let undeclared = self.undeclared.borrow();
        let used = undeclared.iter().filter(|name| uses(text, &format!("vars.{name}")));
        for (at, name) in used.enumerate() {
            let given = self.extra(name).map_or_else(|| Value::Raw("null".to_owned()), Value::from);
            vars.set(name.as_str(), given);
            if at == 0 {
                vars.comment(vec!["From here on: used by the template, and declared nowhere.".to_owned()]);
            }
        }
        // Secrets that no variable stands for.
        for name in names(text, "secrets.") {
            if !secrets.contains(&Value::from(name.as_str())) {
                secrets.push(name.into());
            }
        }
        (vars, secrets)
    }

    fn write_secret(variable: &Variable, secret: &str, text: &str, secrets: &mut Vec<Value>) {
        let used = uses(text, &format!("secrets.{secret}"));
        let name = Value::from(secret);
        if used && !secrets.contains(&name) {
            secrets.push(name);
        }
        variable.tick();
        let readers = [Some(&variable.default), variable.given.as_ref()];
        let filled =
            |reader: &&Reader| reader.node.scalar().is_some_and(|text| !text.is_empty() && !text.contains("{{"));
        let copied: Vec<&Reader> = readers.into_iter().flatten().filter(filled).collect();
        if !used {
            for reader in readers.into_iter().flatten() {
                reader.drop("it is a credential, and nothing that came over uses it", "");
            }
        } else if copied.is_empty() {
            variable.default.changed(
                format!("it is the secret {secret} now"),
                format!("Set the environment variable {secret} for the bake."),
            );
        }
        for reader in copied.into_iter().filter(|_| used) {
            reader.drop(
                "the value of a credential is never copied",
                format!("Set the environment variable {secret} for the bake; `secrets` names it."),
            );
        }
        if let Some(given) = &variable.given {
            given.tick();
        }
    }

    /// The name of the secret that a variable is.
    fn secret(variable: &Variable) -> Option<String> {
        let text = variable.text().unwrap_or_default();
        let environment = text
            .trim()
            .strip_prefix("{{")
            .and_then(|text| text.strip_suffix("}}"))
            .and_then(|text| text.trim().strip_prefix("env"))
            .map(|name| name.trim().trim_matches(['`', '"']).to_owned())
            .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        let named = credential::named(&variable.name)
            || environment.as_deref().is_some_and(credential::named)
            || ["{{vault", "{{ vault", "{{aws_secretsmanager", "{{ aws_secretsmanager"]
                .iter()
                .any(|start| text.contains(start))
            || credential::holds(&text);
        let harmless = !variable.sensitive && matches!(text.as_str(), "true" | "false");
        let secret = variable.sensitive || (named && !harmless);
        secret.then(|| environment.unwrap_or_else(|| credential::variable(&variable.name)))
    }

    /// What a variable stands for; none when it must be given.
    fn definition(&self, variable: &Variable) -> Result<Option<Words>, Trouble> {
        let Some(text) = variable.text() else { return Ok(None) };
        if self.open.borrow().contains(&variable.name) {
            return Err(Trouble::new(format!("the variable `{}` is made of itself", variable.name)));
        }
        self.open.borrow_mut().push(variable.name.clone());
        let scope = Definitions { all: self };
        let reader = variable.given.as_ref().unwrap_or(&variable.default);
        let words = evaluate(&text, &scope, &mut |note| reader.changed(note, ""));
        self.open.borrow_mut().pop();
        words.map(Some)
    }

    /// `user`
    pub(crate) fn user(&self, name: &str) -> Result<Words, Trouble> {
        let Some(variable) = self.list.iter().find(|variable| variable.name == name) else {
            return self.undeclared(name);
        };
        if let Some(secret) = Self::secret(variable) {
            let expr = Expr { code: format!("secrets.{secret}"), known: None, secret: true };
            return Ok(Words(vec![Part::Expr(expr)]));
        }
        let words = self.definition(variable)?;
        if words.as_ref().is_some_and(Words::is_secret) {
            return words.ok_or_else(|| Trouble::new("it has no value"));
        }
        Ok(Words::expr(format!("vars.{}", variable.own), words.and_then(|words| words.known())))
    }

    fn undeclared(&self, name: &str) -> Result<Words, Trouble> {
        let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !fits {
            return Err(Trouble::new(format!("the template does not declare the variable `{name}`")));
        }
        if credential::named(name) {
            let expr = Expr { code: format!("secrets.{}", credential::variable(name)), known: None, secret: true };
            return Ok(Words(vec![Part::Expr(expr)]));
        }
        self.undeclared.borrow_mut().insert(name.to_owned());
        Ok(Words::expr(format!("vars.{name}"), self.extra(name).map(str::to_owned)))
    }

    /// What the command line says of a variable that is not in the list.
    fn extra(&self, name: &str) -> Option<&str> {
        self.extra.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Names of the command line that nothing uses.
    pub(crate) fn idle(&self) -> Vec<&str> {
        let used = self.undeclared.borrow();
        self.extra.iter().map(|(name, _)| name.as_str()).filter(|name| !used.contains(*name)).collect()
    }

    /// `env`
    pub(crate) fn env(name: &str) -> Result<Words, Trouble> {
        let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fits || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Trouble::new(format!("`{name}` can't be the name of an environment variable")));
        }
        if credential::named(name) {
            let expr = Expr { code: format!("secrets.{name}"), known: None, secret: true };
            return Ok(Words(vec![Part::Expr(expr)]));
        }
        Ok(Words::expr(format!("env.{name}"), None))
    }

    /// The folder of the template, for `template_dir`.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// The time to evaluate with.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.now
    }
}

impl<'a> Variable<'a> {
    fn new(name: &str, default: Reader<'a>, files: &[Reader<'a>], sets: &[(String, String)], others: &[Self]) -> Self {
        let mut own: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect();
        if !own.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            own.insert(0, '_');
        }
        // Expressions find names in any case.
        while others.iter().any(|known| known.own.eq_ignore_ascii_case(&own)) {
            own.push('_');
        }
        let mut given: Vec<Reader> =
            files.iter().flat_map(Reader::entries).filter(|(key, _)| *key == name).map(|(_, value)| value).collect();
        let last = given.pop();
        for earlier in given {
            if last.as_ref().is_some_and(|last| last.node.kind == earlier.node.kind) {
                earlier.tick();
            } else {
                earlier.drop("a later file gives the variable another value, which counts", "");
            }
        }
        let set = sets.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Self { name: name.to_owned(), own, default, given: last, set, sensitive: false, declared: false }
    }

    fn text(&self) -> Option<String> {
        if let Some(set) = &self.set {
            return Some(set.clone());
        }
        self.given.as_ref().unwrap_or(&self.default).node.scalar().map(str::to_owned)
    }

    fn tick(&self) {
        if self.default.node.scalar().is_some() || matches!(self.default.node.kind, crate::json::Kind::Null) {
            self.default.tick();
        }
        if let Some(given) = self.given.as_ref().filter(|given| given.node.scalar().is_some()) {
            given.tick();
        }
    }
}

/// What a variable's own value may use: other variables are written out, since a variable of the manifest can't use another.
struct Definitions<'a, 'v> {
    all: &'v Variables<'a>,
}

impl Scope for Definitions<'_, '_> {
    fn user(&self, name: &str) -> Result<Words, Trouble> {
        let Some(variable) = self.all.list.iter().find(|variable| variable.name == name) else {
            return Err(Trouble::new(format!("the template does not declare the variable `{name}`")));
        };
        if let Some(secret) = Variables::secret(variable) {
            let expr = Expr { code: format!("secrets.{secret}"), known: None, secret: true };
            return Ok(Words(vec![Part::Expr(expr)]));
        }
        let missing = || Trouble::new(format!("it is made of the variable `{name}`, which must be given"));
        self.all.definition(variable)?.ok_or_else(missing)
    }

    fn env(&self, name: &str) -> Result<Words, Trouble> {
        Variables::env(name)
    }

    fn field(&self, path: &[String]) -> Result<Words, Trouble> {
        Err(Trouble::new(format!("`.{}` is not known in a variable", path.join("."))))
    }

    fn word(&self, name: &str) -> Option<Result<Words, Trouble>> {
        match name {
            "template_dir" => Some(Ok(Words::text(self.all.folder.as_str()))),
            "pwd" => Some(Ok(Words::text("."))),
            _ => None,
        }
    }

    fn now(&self) -> Option<Timestamp> {
        self.all.now
    }
}

/// A variable's value, as a number or truth value where it is used as one.
fn value(words: &Words, typed: bool) -> Value {
    let literal = words.literal();
    if let Some(literal) = literal.filter(|_| typed) {
        let number = literal.parse::<u64>().is_ok_and(|number| number.to_string() == literal);
        if number || matches!(literal, "true" | "false") {
            return Value::Raw(literal.to_owned());
        }
    }
    words.manifest().into()
}

/// Whether a text uses a name of a context.
fn uses(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before =
            text[..at].chars().next_back().is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.'));
        let after = text[at + name.len()..]
            .chars()
            .next()
            .is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'));
        before && after
    })
}

/// The members of a context that a text uses.
fn names(text: &str, context: &str) -> BTreeSet<String> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.match_indices(context)
        .filter(|(at, _)| text[..*at].ends_with("${{ ") || text[..*at].ends_with("${{"))
        .map(|(at, _)| {
            let tail = &text[at + context.len()..];
            tail[..tail.find(ends).unwrap_or(tail.len())].to_owned()
        })
        .filter(|name| !name.is_empty())
        .collect()
}
