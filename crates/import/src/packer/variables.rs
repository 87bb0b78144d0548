//! Variables of a template, with their values from variable files and the command line.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};

use ami_bake_manifest::budget::{Budget, Exceeded};
use indexmap::{IndexMap, IndexSet};
use jiff::Timestamp;

use super::model::{DeclaredVariable, PackerTemplate};
use crate::input::{FindingKind, Log, Reader, ValueKind};
use crate::template::{
    BUDGET, Expr, Part, Template, TemplateScope, Unsupported, Words, evaluate, members, not_passed_on,
};
use crate::yaml::{Map, Value};
use ami_bake_manifest::access::credential;

/// Why a variable is not in the manifest.
pub(crate) const UNUSED: &str = "nothing imported uses it";

/// All variables of a template.
pub(crate) struct Variables<'a> {
    /// Variables by name, in the order of the template.
    list: IndexMap<String, Variable<'a>>,
    budget: Budget,
    now: Option<Timestamp>,
    folder: String,
    /// Variables that are being evaluated, to detect cycles.
    open: RefCell<HashSet<String>>,
    /// Names that the template uses without declaring them.
    undeclared: RefCell<BTreeSet<String>>,
    /// Variables of the manifest that must be set, each with a comment.
    required: RefCell<IndexMap<String, String>>,
    /// Variables on the command line that are not in `list`.
    extra: HashMap<String, String>,
}

struct Variable<'a> {
    /// Name in the template.
    name: String,
    /// Name in the manifest.
    own: String,
    default: Reader<'a>,
    /// Value in the last variable file that sets it.
    given: Option<Reader<'a>>,
    /// Value on the command line.
    set: Option<String>,
    sensitive: bool,
    /// The declaration; `None` when only a variable file sets the variable.
    declaration: Option<&'a DeclaredVariable>,
    /// Name of the secret, if it is one.
    secret: OnceCell<Option<String>>,
    /// The value, evaluated once: other variables may refer to it many times.
    words: OnceCell<Result<Option<Words>, Unsupported>>,
}

/// Maximum depth of variables that refer to each other.
const DEEPEST: usize = 64;

/// The values that are set for variables, by source.
struct Sources<'a> {
    /// The values of variable files, by name.
    files: HashMap<&'a str, Vec<Reader<'a>>>,
    /// The last value of the command line, by name.
    sets: HashMap<&'a str, &'a str>,
    /// The names used in the manifest so far, in lower case.
    own: HashSet<String>,
}

impl<'a> Variables<'a> {
    /// Reads the variables of a template, with their values.
    pub(crate) fn read(
        template: &'a PackerTemplate,
        files: &[Reader<'a>],
        sets: &'a [(String, String)],
        now: Option<Timestamp>,
        folder: &str,
        log: &'a Log,
    ) -> Self {
        let mut sources = Sources {
            files: HashMap::new(),
            sets: sets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            own: HashSet::new(),
        };
        let entries: Vec<(&str, Reader)> = files.iter().flat_map(Reader::entries).collect();
        for (name, value) in &entries {
            sources.files.entry(name).or_default().push(*value);
            if let Some(text) = value.value.literal() {
                log.private.add(text, &format!("vars.{name}"));
            }
        }
        let mut variables: IndexMap<String, Variable> = IndexMap::new();
        for one in &template.variables {
            let variable = Variable::new(&one.name, Reader::new(&one.default, log), &mut sources);
            let variable = Variable { sensitive: one.sensitive, declaration: Some(one), ..variable };
            variables.entry(one.name.clone()).or_insert(variable);
        }
        // Packer also accepts values of variables that the template does not declare.
        for (name, value) in entries {
            if !variables.contains_key(name) {
                variables.insert(name.to_owned(), Variable::new(name, value, &mut sources));
            }
        }
        Self {
            extra: sets.iter().filter(|(name, _)| !variables.contains_key(name)).cloned().collect(),
            list: variables,
            budget: Budget::new(BUDGET, DEEPEST),
            now,
            folder: folder.to_owned(),
            open: RefCell::default(),
            undeclared: RefCell::default(),
            required: RefCell::default(),
        }
    }

    /// `vars` and `secrets` of a manifest with this text; unused variables are reported.
    pub(crate) fn write(&self, text: &str, typed: &BTreeSet<String>) -> (Map, Vec<Value>) {
        let mut vars = Map::default();
        let mut secrets: IndexSet<String> = IndexSet::new();
        let used_vars = members(text, "vars");
        let used_secrets = members(text, "secrets");
        for variable in self.list.values() {
            if let Some(secret) = variable.secret() {
                Self::write_secret(variable, secret, used_secrets.contains(secret), &mut secrets);
                continue;
            }
            if !used_vars.contains(variable.own.as_str()) {
                let why = if credential::named(&variable.name) {
                    "a credential that nothing imported uses"
                } else if variable.declaration.is_none() {
                    "not declared by the template, and nothing imported uses it"
                } else {
                    UNUSED
                };
                variable.mark_used();
                let evaluated = !variable.default.log().evaluations(&format!("vars.{}", variable.own)).is_empty();
                if evaluated || variable.declaration.is_some_and(|declaration| declaration.evaluated) {
                    let why = "its value was evaluated where it is used, and nothing refers to it any more";
                    variable.default.changed(why, "Set another value with `--set` during the import.");
                    continue;
                }
                variable.default.drop(why, "");
                if let Some(given) = &variable.given {
                    given.drop(why, "");
                }
                continue;
            }
            variable.mark_used();
            let log = variable.default.log();
            for place in log.evaluations(&format!("vars.{}", variable.own)) {
                let why =
                    format!("evaluated with the current value of `vars.{}`; it no longer follows it", variable.own);
                log.report(FindingKind::Changed, &place, why, "");
            }
            if variable.own != variable.name {
                variable.default.changed(format!("renamed to `{}`", variable.own), "");
            }
            let needed = typed.contains(&format!("!vars.{}", variable.own));
            let value = match self.definition(variable) {
                _ if needed => Value::Raw("null".to_owned()),
                Ok(Some(words)) => value(&words, typed.contains(&format!("vars.{}", variable.own))),
                _ => Value::Raw("null".to_owned()),
            };
            if variable.declaration.is_none() {
                variable.default.changed("the template uses this variable without declaring it", "");
            }
            vars.set_from(variable.own.as_str(), value, variable.given.as_ref().unwrap_or(&variable.default));
            vars.comment(variable.declaration.map(|declaration| declaration.comments.clone()).unwrap_or_default());
        }
        let undeclared = self.undeclared.borrow();
        let used = undeclared.iter().filter(|name| used_vars.contains(name.as_str()));
        for (at, name) in used.enumerate() {
            let given = self.extra(name).map_or_else(|| Value::Raw("null".to_owned()), Value::from);
            vars.set(name.as_str(), given);
            if at == 0 {
                vars.comment(vec!["Used by the template but not declared:".to_owned()]);
            }
        }
        for (name, comment) in self.required.borrow().iter() {
            vars.set(name.as_str(), self.extra(name).map_or_else(|| Value::Raw("null".to_owned()), Value::from));
            vars.comment(vec![comment.clone()]);
        }
        // Secrets that are not variables of the template.
        secrets.extend(names(text, "secrets."));
        (vars, secrets.into_iter().map(Value::from).collect())
    }

    fn write_secret(variable: &Variable, secret: &str, used: bool, secrets: &mut IndexSet<String>) {
        if used {
            secrets.insert(secret.to_owned());
        }
        variable.mark_used();
        let readers = [Some(&variable.default), variable.given.as_ref()];
        let filled =
            |reader: &&Reader| reader.value.literal().is_some_and(|text| !text.is_empty() && !text.contains("{{"));
        let copied: Vec<&Reader> = readers.into_iter().flatten().filter(filled).collect();
        if !used {
            for reader in readers.into_iter().flatten() {
                reader.drop("a credential that nothing imported uses", "");
            }
        } else if copied.is_empty() {
            let (what, when) =
                if Self::is_optional(variable) { ("optional secret", " if the bake needs it") } else { ("secret", "") };
            let own = variable.value().and_then(|value| value.call_of("env")).filter(|own| credential::signs_in(own));
            let why = own.map(|own| format!(": {}", not_passed_on(&own))).unwrap_or_default();
            variable.default.changed(
                format!("now the {what} {secret}{why}"),
                format!("Set the environment variable {secret} for the bake{when}."),
            );
        }
        for reader in copied.into_iter().filter(|_| used) {
            reader.drop(
                "the value of a credential is never copied",
                format!("Set the environment variable {secret} for the bake; it is listed in `secrets`."),
            );
        }
        if let Some(given) = &variable.given {
            given.mark_used();
        }
    }

    /// Whether a secret may be left unset: its default is empty, or an environment variable, which is empty when unset.
    /// One that is read under another name must be set, or the bake would continue without it.
    fn is_optional(variable: &Variable) -> bool {
        let Some(value) = variable.value() else { return false };
        value.literal().is_some_and(str::is_empty)
            || value.call_of("env").is_some_and(|name| !credential::signs_in(&name))
    }

    /// The value of a variable; `None` when it must be set.
    fn definition(&self, variable: &Variable) -> Result<Option<Words>, Unsupported> {
        if let Some(words) = variable.words.get() {
            self.spend(words.as_ref().ok().and_then(Option::as_ref).map_or(0, Words::size))?;
            return words.clone();
        }
        let Some(value) = variable.value() else { return Ok(None) };
        if !self.open.borrow_mut().insert(variable.name.clone()) {
            return Err(Unsupported::new(format!("the variable `{}` refers to itself", variable.name)));
        }
        let scope = Definitions { all: self };
        let reader = variable.given.as_ref().unwrap_or(&variable.default);
        let words = self.budget.deeper(|| evaluate(&value, &scope, &mut |note| reader.changed(note, "")));
        self.open.borrow_mut().remove(&variable.name);
        if let Some(exceeded) = words.as_ref().err().filter(|unsupported| unsupported.exceeded) {
            reader.unsupported(exceeded.clone());
        }
        variable.words.get_or_init(|| words.map(Some)).clone()
    }

    /// Evaluates `user`.
    pub(crate) fn user(&self, name: &str) -> Result<Words, Unsupported> {
        let Some(variable) = self.list.get(name) else {
            return self.undeclared(name);
        };
        if let Some(secret) = variable.secret() {
            self.spend(variable.value().map_or(0, |value| value.size()))?;
            return Ok(Words::secret(secret, Self::is_optional(variable)));
        }
        let words = self.definition(variable)?;
        if words.as_ref().is_some_and(Words::is_secret) {
            return words.ok_or_else(|| Unsupported::new("it has no value"));
        }
        let optional = words.as_ref().and_then(Words::single).is_some_and(|expr| expr.optional);
        let (code, known) = (format!("vars.{}", variable.own), words.and_then(|words| words.known()));
        Ok(Words(vec![Part::Expr(Expr { code, known, secret: false, optional })]))
    }

    fn undeclared(&self, name: &str) -> Result<Words, Unsupported> {
        let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !fits {
            return Err(Unsupported::new(format!("the template does not declare the variable `{name}`")));
        }
        if credential::named(name) {
            return Ok(Words::secret(&credential::variable(name), false));
        }
        self.undeclared.borrow_mut().insert(name.to_owned());
        Ok(Words::expr(format!("vars.{name}"), self.extra(name).map(str::to_owned)))
    }

    /// Adds a variable of the manifest that must be set. Answers its name.
    pub(crate) fn require(&self, name: &str, comment: String) -> String {
        let mut required = self.required.borrow_mut();
        let mut own = name.to_owned();
        while required.contains_key(&own) || self.list.values().any(|variable| variable.own.eq_ignore_ascii_case(&own))
        {
            own.push('_');
        }
        required.insert(own.clone(), comment);
        own
    }

    /// The value on the command line of a variable that is not in `list`.
    fn extra(&self, name: &str) -> Option<&str> {
        self.extra.get(name).map(String::as_str)
    }

    /// Variables on the command line that nothing uses.
    pub(crate) fn idle(&self) -> Vec<&str> {
        let (used, required) = (self.undeclared.borrow(), self.required.borrow());
        let known = |name: &&str| used.contains(*name) || required.contains_key(*name);
        let mut idle: Vec<&str> = self.extra.keys().map(String::as_str).filter(|name| !known(name)).collect();
        idle.sort_unstable();
        idle
    }

    /// Takes the cost of an evaluation off the budget of the import, in bytes.
    pub(crate) fn spend(&self, bytes: usize) -> Result<(), Exceeded> {
        self.budget.spend(bytes)
    }

    /// Evaluates `env`.
    pub(crate) fn env(name: &str) -> Result<Words, Unsupported> {
        let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fits || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Unsupported::new(format!("`{name}` is not a valid name of an environment variable")));
        }
        if credential::named(name) {
            return Ok(Words::secret(&credential::secret(name), !credential::signs_in(name)));
        }
        Ok(Words::environment(name))
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
    fn new(name: &str, default: Reader<'a>, sources: &mut Sources<'a>) -> Self {
        let mut own: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect();
        if !own.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            own.insert(0, '_');
        }
        // Names in expressions are case-insensitive.
        while !sources.own.insert(own.to_ascii_lowercase()) {
            own.push('_');
        }
        let mut given = sources.files.get(name).cloned().unwrap_or_default();
        let last = given.pop();
        for earlier in given {
            if last.as_ref().is_some_and(|last| last.value == earlier.value) {
                earlier.mark_used();
            } else {
                earlier.drop("overridden by a later variable file", "");
            }
        }
        let set = sources.sets.get(name).map(|value| (*value).to_owned());
        Self {
            name: name.to_owned(),
            own,
            default,
            given: last,
            set,
            sensitive: false,
            declaration: None,
            secret: OnceCell::new(),
            words: OnceCell::new(),
        }
    }

    /// Name of the secret, if the variable is one.
    fn secret(&self) -> Option<&str> {
        let secret = self.secret.get_or_init(|| {
            let value = self.value().unwrap_or_default();
            let environment = value
                .call_of("env")
                .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
            let named = credential::named(&self.name)
                || environment.as_deref().is_some_and(credential::named)
                || value.calls_any(&["vault", "aws_secretsmanager", "aws_secretsmanager_raw"])
                || credential::holds(&value.written());
            let harmless = !self.sensitive && matches!(value.literal(), Some("true" | "false"));
            let secret = self.sensitive || (named && !harmless);
            secret.then(|| match environment {
                Some(environment) => credential::secret(&environment),
                None => credential::variable(&self.name),
            })
        });
        secret.as_deref()
    }

    /// The value during the import.
    fn value(&self) -> Option<Template> {
        if let Some(set) = &self.set {
            return Some(Template::text(set.as_str()));
        }
        self.given.as_ref().unwrap_or(&self.default).value.template().map(Cow::into_owned)
    }

    fn mark_used(&self) {
        if self.default.value.is_scalar() || self.default.value.kind == ValueKind::Null {
            self.default.mark_used();
        }
        if let Some(given) = self.given.as_ref().filter(|given| given.value.is_scalar()) {
            given.mark_used();
        }
    }
}

/// The scope for values of variables. References to other variables are replaced by their values, since a manifest's
/// variables can't refer to each other.
struct Definitions<'a, 'v> {
    all: &'v Variables<'a>,
}

impl TemplateScope for Definitions<'_, '_> {
    fn user(&self, name: &str) -> Result<Words, Unsupported> {
        let Some(variable) = self.all.list.get(name) else {
            return Err(Unsupported::new(format!("the template does not declare the variable `{name}`")));
        };
        if let Some(secret) = variable.secret() {
            self.spend(variable.value().map_or(0, |value| value.size()))?;
            return Ok(Words::secret(secret, Variables::is_optional(variable)));
        }
        let missing = || Unsupported::new(format!("it refers to the variable `{name}`, which has no value"));
        self.all.definition(variable)?.ok_or_else(missing)
    }

    fn env(&self, name: &str) -> Result<Words, Unsupported> {
        Variables::env(name)
    }

    fn field(&self, path: &[String]) -> Result<Words, Unsupported> {
        Err(Unsupported::new(format!("`.{}` is not allowed in a variable", path.join("."))))
    }

    fn word(&self, name: &str) -> Option<Result<Words, Unsupported>> {
        match name {
            "template_dir" => Some(Ok(Words::text(self.all.folder.as_str()))),
            "pwd" => Some(Ok(Words::text("."))),
            _ => None,
        }
    }

    fn spend(&self, bytes: usize) -> Result<(), Exceeded> {
        self.all.spend(bytes)
    }

    fn now(&self) -> Option<Timestamp> {
        self.all.now
    }
}

/// The value of a variable, as a number or boolean if it is used as one.
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

/// The members of a context, such as `vars`, that a text refers to.
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
