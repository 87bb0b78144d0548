//! Converts the provisioners ansible and ansible-local.

use super::environment::environment;
use super::fields::Fields;
use super::playbook;
use super::shell_line::{Token, tokens};
use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::{Build, ImageDraft};
use crate::paths::FoundPath;
use crate::template::{Part, Words};
use crate::yaml::{Map, Value};

/// Converts the provisioner ansible, which runs on the computer that runs ami-bake, as in a manifest.
pub(super) fn remote(fields: &Fields, build: &Build, context: &Context, image: &ImageDraft) -> Vec<Map> {
    if let Some(user) = fields.get("user")
        && let Some(words) = context.plain(&user)
        && image.user.as_deref() != Some(words.manifest().as_str())
    {
        user.drop(
            "the playbook logs in as `machine.user`",
            "Use `become_user` in the playbook to run as another user.",
        );
    }
    fields.drop(
        &[
            "use_proxy",
            "use_sftp",
            "sftp_command",
            "ssh_host_key_file",
            "ssh_authorized_key_file",
            "ansible_proxy_key_type",
            "ansible_ssh_extra_args",
            "local_port",
            "skip_version_check",
            "command",
            "keep_inventory_file",
            "ansible_winrm_use_http",
        ],
        "the playbook uses the bake's own connection",
        "",
    );
    fields.drop(
        &["inventory_file", "inventory_directory", "inventory_file_template", "empty_groups", "limit"],
        "the inventory is generated and has only the one machine",
        "List its groups in `groups`.",
    );
    galaxy(fields);
    let alias = fields.get("host_alias").and_then(|alias| Some((context.text(&alias)?, alias)));
    step(
        fields,
        build,
        context,
        Map::default(),
        &|found| {
            if let Some((alias, from)) = &alias {
                from.changed("the machine is called like its image in the inventory; the alias became a group", "");
                return vec![alias.clone()];
            }
            let hosts = found.map(|found| playbook::hosts(&context.paths.access, &found.full)).unwrap_or_default();
            if let (Some(hosts), Some(from)) = (
                hosts.iter().find(|hosts| matches!(hosts.as_str(), "localhost" | "127.0.0.1")),
                fields.get("playbook_file").or_else(|| fields.get("playbook_files")),
            ) {
                from.changed(
                    format!(
                        "its plays with `hosts: {hosts}` would run on the computer that runs ami-bake, which `check` refuses"
                    ),
                    "Run them in the workflow, or set `host: localhost` to run them on the machine.",
                );
            }
            // Packer's name for the machine in the inventory.
            let named = hosts.iter().any(|hosts| hosts == "default");
            if named { vec!["default".into()] } else { Vec::new() }
        },
        false,
    )
}

/// The machine's name in the inventory of ansible-local (Packer, provisioner/ansible-local).
const LOCAL: &str = "127.0.0.1";

/// Converts ansible-local. Packer runs it on the machine; in a manifest Ansible runs on the computer that runs
/// ami-bake, and `localhost` is the machine.
pub(super) fn local(fields: &Fields, build: &Build, context: &Context) -> Vec<Map> {
    fields.reader().changed(
        "Packer runs `ansible-playbook` on the machine; ami-bake runs it on the computer that runs ami-bake, over the connection to the machine",
        "Install Ansible where the bake runs. Files that lookups read must be there.",
    );
    fields.drop(
        &["staging_directory", "clean_staging_directory", "command", "galaxy_command"],
        "the playbook is not copied to the machine",
        "",
    );
    fields.drop(
        &[
            "inventory_file",
            "group_vars",
            "host_vars",
            "playbook_dir",
            "playbook_paths",
            "collection_paths",
            "galaxy_collections_path",
            "galaxy_roles_path",
        ],
        "the playbook runs from its own folder",
        "Check that it finds its files; if not, set `ANSIBLE_…` in the `env` of the step.",
    );
    let mut env = Map::default();
    let mut folders: Vec<String> = Vec::new();
    for role in fields.get("role_paths").iter().flat_map(Reader::items) {
        let Some(path) = context.path(&role) else { continue };
        let folder = path.trim_end_matches('/').rsplit_once('/').map_or(".", |(folder, _)| folder).to_owned();
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    if !folders.is_empty() {
        env.set("ANSIBLE_ROLES_PATH", folders.join(":"));
    }
    galaxy(fields);
    let groups = fields.get("inventory_groups").map(|groups| context.texts(&groups)).unwrap_or_default();
    let mut steps = step(fields, build, context, env, &|_| groups.clone(), true);
    for step in &mut steps {
        step.set("host", LOCAL);
    }
    steps
}

fn galaxy(fields: &Fields) {
    fields.drop(
        &[
            "galaxy_command",
            "galaxy_force_install",
            "galaxy_force_with_deps",
            "roles_path",
            "collections_path",
            "offline_mode",
        ],
        "options of `ansible-galaxy` are not supported",
        "",
    );
}

/// A step for each playbook; `more` has further groups of the machine. `by_shell`: Packer passes the arguments through
/// a shell.
fn step(
    fields: &Fields,
    build: &Build,
    context: &Context,
    own: Map,
    more: &dyn Fn(Option<&FoundPath>) -> Vec<Value>,
    by_shell: bool,
) -> Vec<Map> {
    let mut env = own;
    env.0.extend(environment(fields, context).0);
    let mut vars = Map::default();
    let mut args: Vec<Value> = Vec::new();
    if let Some(extra) = fields.get("extra_arguments") {
        arguments(&extra, context, by_shell, &mut vars, &mut args);
    }
    let groups = fields.get("groups").map(|groups| context.texts(&groups)).unwrap_or_default();
    let requirements = fields.get("galaxy_file").and_then(|file| Some((context.path(&file)?, file)));
    let playbooks = [fields.get("playbook_file"), fields.get("playbook_files")];
    let mut steps = Vec::new();
    for playbook in playbooks.iter().flatten().flat_map(Reader::items) {
        let Some((path, found)) = context.local(&playbook) else { continue };
        let mut vars = vars.clone();
        // Packer passes these to every playbook.
        let own =
            [("packer_build_name", build.own_name().manifest()), ("packer_builder_type", build.kind().to_owned())];
        let read = found.as_ref().filter(|found| found.exists).map(|found| {
            playbook::reads(&context.paths.access, &found.full, &["packer_build_name", "packer_builder_type"])
        });
        for (name, value) in own {
            if vars.get(name).is_none() && read.as_ref().is_some_and(|read| read.contains(&name)) {
                vars.set(name, value);
            }
        }
        let mut groups = groups.clone();
        groups.extend(more(found.as_ref()).into_iter().filter(|group| !groups.contains(group)).collect::<Vec<_>>());
        let mut step = Map::default();
        step.set_from("ansible", path, &playbook);
        if let Some((path, from)) = &requirements {
            step.set_from("requirements", path.as_str(), from);
        }
        step.set_filled("vars", vars);
        step.set_filled("args", args.clone());
        step.set_filled("groups", groups);
        step.set_filled("env", env.clone());
        steps.push(step);
    }
    if steps.is_empty() {
        fields.reader().drop("it has no playbook that can be imported", "Write the step by hand.");
    }
    steps
}

/// Converts arguments: `-e name=value` becomes `vars`; everything else remains an argument.
fn arguments(extra: &Reader, context: &Context, by_shell: bool, vars: &mut Map, args: &mut Vec<Value>) {
    // A single text is a comma-separated list.
    let items: Vec<(Option<Words>, Reader)> = if extra.is_list() {
        extra.items().into_iter().map(|item| (context.words(&item), item)).collect()
    } else {
        context.list(extra).into_iter().map(|(words, item)| (Some(words), item)).collect()
    };
    let items = if by_shell { items.into_iter().flat_map(shell_words).collect() } else { items };
    // Whether the value of a variable is a path is unknown, so it is only reported.
    let place = |words: &Words, item: &Reader| {
        let text = words.manifest();
        if context.beside(&text) != text {
            item.changed(
                "it contains the absolute path of the template's folder",
                "Use a path that is valid wherever the bake runs.",
            );
        }
    };
    let mut at = 0;
    while let Some((words, item)) = items.get(at) {
        at += 1;
        let Some(words) = words else { continue };
        let flag = words.literal().map(str::trim);
        if matches!(flag, Some("-c" | "--connection")) {
            item.changed(CONNECTION, "");
            at += 1;
            continue;
        }
        if flag.is_some_and(|flag| flag.starts_with("--connection=")) {
            item.changed(CONNECTION, "");
            continue;
        }
        if matches!(flag, Some("-e" | "--extra-vars"))
            && let Some((value, next)) = items.get(at)
        {
            at += 1;
            let Some(value) = value else { continue };
            let value = &without_connection(value, next);
            if value.0.is_empty() {
                continue;
            }
            place(value, next);
            if !pair(value, next, vars) {
                if value.is_secret() || ami_bake_manifest::access::credential::given(&value.manifest()) {
                    next.drop("secrets are not allowed in arguments", "Add it to `vars` of the step.");
                    continue;
                }
                args.push("--extra-vars".into());
                args.push(context.beside(&value.manifest()).into());
            }
            continue;
        }
        // `-e name=value` in a single text.
        let words = &without_connection(words, item);
        if let Some(rest) = strip(words, &["--extra-vars ", "--extra-vars=", "-e "])
            && (rest.0.is_empty() || pair(&rest, item, vars))
        {
            continue;
        }
        if words.is_secret() || ami_bake_manifest::access::credential::given(&words.manifest()) {
            item.drop("secrets are not allowed in arguments", "Add it to `vars` of the step.");
            continue;
        }
        let text = context.beside(&words.manifest());
        args.push(text.into());
    }
}

/// Splits an argument into words as a shell would; one that a shell would change is reported.
fn shell_words((words, item): (Option<Words>, Reader<'_>)) -> Vec<(Option<Words>, Reader<'_>)> {
    let Some(whole) = words else { return vec![(None, item)] };
    // An expression is replaced by one private-use character.
    let mark = |at: usize| char::from_u32(0xE000 + u32::try_from(at).unwrap_or_default()).unwrap_or('\u{E000}');
    let text = |(at, part): (usize, &Part)| match part {
        Part::Text(text) => text.clone(),
        Part::Expr(_) => mark(at).to_string(),
    };
    let line: String = whole.0.iter().enumerate().map(text).collect();
    let split = match tokens(&line) {
        Ok(split) => split,
        Err(why) => {
            item.drop(format!("a shell can't read it: {why}"), "Add it to `args` of the step.");
            return Vec::new();
        }
    };
    let mut all = Vec::new();
    for token in split {
        let Token::Word(word) = token else {
            item.drop("a shell would read it as more than an argument", "Add it to `args` of the step.");
            return Vec::new();
        };
        let mut words = Words::default();
        for c in word.chars() {
            let expr = whole.0.iter().enumerate().find(|(at, part)| matches!(part, Part::Expr(_)) && mark(*at) == c);
            match expr {
                Some((_, part)) => words.extend(Words(vec![part.clone()])),
                None => words.extend(Words::text(c)),
            }
        }
        all.push((Some(words), item));
    }
    all
}

/// Why arguments about the connection are dropped: as extra variables they would override the step's (Ansible, variable
/// precedence), and `local` would be the computer that bakes.
const CONNECTION: &str = "left out: the step provides the connection to the machine";

/// Extra variables without `ansible_connection`.
fn without_connection(words: &Words, from: &Reader) -> Words {
    let mut out = Words::default();
    for part in &words.0 {
        let Part::Text(text) = part else {
            out.extend(Words(vec![part.clone()]));
            continue;
        };
        let mut kept = text.clone();
        while let Some(start) = kept.find("ansible_connection=") {
            let end = kept[start..].find([' ', '"', '\'']).map_or(kept.len(), |end| start + end);
            let end = if kept[end..].starts_with(' ') { end + 1 } else { end };
            kept.replace_range(start..end, "");
        }
        if kept != *text {
            from.changed(CONNECTION, "");
        }
        out.extend(Words::text(kept));
    }
    out
}

/// The text without one of these prefixes.
fn strip(words: &Words, starts: &[&str]) -> Option<Words> {
    let Some(Part::Text(first)) = words.0.first() else { return None };
    let rest = starts.iter().find_map(|start| first.strip_prefix(start))?;
    let mut out = Words::text(rest);
    out.extend(Words(words.0[1..].to_vec()));
    Some(out)
}

/// Adds one `name=value` without spaces or quotes to the variables; anything else remains an argument.
fn pair(words: &Words, from: &Reader, vars: &mut Map) -> bool {
    let Some(Part::Text(first)) = words.0.first() else { return false };
    let Some((name, start)) = first.split_once('=') else { return false };
    let name = name.trim();
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let odd = |text: &str| text.contains([' ', '"', '\'', '{', '\n']);
    let plain = words.0[1..].iter().all(|part| !matches!(part, Part::Text(text) if odd(text)));
    if !fits || odd(start) || !plain {
        return false;
    }
    let mut value = Words::text(start);
    value.extend(Words(words.0[1..].to_vec()));
    if value.literal().is_some_and(|literal| ami_bake_manifest::access::credential::named(name) && !literal.is_empty())
    {
        let secret = ami_bake_manifest::access::credential::variable(name);
        from.drop(
            "the value of a credential is never copied",
            format!("Set the environment variable {secret} for the bake; it is listed in `secrets`."),
        );
        vars.set_from(name, format!("${{{{ secrets.{secret} }}}}"), from);
        return true;
    }
    vars.set_from(name, value.manifest(), from);
    true
}
