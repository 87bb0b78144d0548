//! The provisioners ansible and ansible-local.

use super::shell::environment;
use super::{Fields, playbook};
use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::{Build, Image};
use crate::paths::Found;
use crate::template::{Part, Words};
use crate::yaml::{Map, Value};

/// From the computer that bakes, as the verb does.
pub(super) fn remote(fields: &Fields, build: &Build, context: &Context, image: &Image) -> Vec<Map> {
    if let Some(user) = fields.get("user")
        && let Some(words) = context.plain(&user)
        && image.user.as_deref() != Some(words.manifest().as_str())
    {
        user.drop(
            "the playbook logs in as the bake does, by `machine.user`",
            "Use `become_user` in the playbook for another user.",
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
        "the playbook runs over the bake's own connection, which looks after itself",
        "",
    );
    fields.drop(
        &["inventory_file", "inventory_directory", "inventory_file_template", "empty_groups", "limit"],
        "the inventory is made for the one machine",
        "Name its groups in `groups`.",
    );
    galaxy(fields);
    let alias = fields.get("host_alias").and_then(|alias| Some((context.text(&alias)?, alias)));
    step(fields, build, context, Map::default(), &|found| {
        if let Some((alias, from)) = &alias {
            from.changed("the machine has its image's name in the inventory; the alias is a group of it", "");
            return vec![alias.clone()];
        }
        // Packer's own name for the machine.
        let named = found.is_some_and(|found| playbook::hosts(&found.full).iter().any(|hosts| hosts == "default"));
        if named { vec!["default".into()] } else { Vec::new() }
    })
}

/// On the machine itself in Packer; from the computer that bakes here.
pub(super) fn local(fields: &Fields, build: &Build, context: &Context) -> Vec<Map> {
    fields.reader().changed(
        "Packer runs this playbook on the machine; here `ansible-playbook` runs beside the bake and reaches the machine over SSH",
        "Ansible has to be where the bake runs, and a playbook with `connection: local` has to lose it.",
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
        "the playbook runs where it lies, with what lies beside it",
        "Look whether it finds its files: set `ANSIBLE_…` in the `env` of the step where not.",
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
    step(fields, build, context, env, &|found| {
        let here = ["localhost", "127.0.0.1"];
        let hosts = found.map(|found| playbook::hosts(&found.full)).unwrap_or_default();
        if let (Some(hosts), Some(from)) =
            (hosts.iter().find(|hosts| here.contains(&hosts.as_str())), fields.get("playbook_file"))
        {
            from.changed(
                format!("its plays are for `{hosts}`, which would be the computer that bakes"),
                "Write `hosts: all` in the playbook.",
            );
        }
        groups.clone()
    })
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
        "how `ansible-galaxy` installs is not set",
        "",
    );
}

/// `more` are further groups of the machine for a playbook.
fn step(
    fields: &Fields,
    build: &Build,
    context: &Context,
    own: Map,
    more: &dyn Fn(Option<&Found>) -> Vec<Value>,
) -> Vec<Map> {
    let mut env = own;
    env.0.extend(environment(fields, context).0);
    let mut vars = Map::default();
    let mut args: Vec<Value> = Vec::new();
    if let Some(extra) = fields.get("extra_arguments") {
        arguments(&extra, context, &mut vars, &mut args);
    }
    let groups = fields.get("groups").map(|groups| context.texts(&groups)).unwrap_or_default();
    let requirements = fields.get("galaxy_file").and_then(|file| Some((context.path(&file)?, file)));
    let playbooks = [fields.get("playbook_file"), fields.get("playbook_files")];
    let mut steps = Vec::new();
    for playbook in playbooks.iter().flatten().flat_map(Reader::items) {
        let Some((path, found)) = context.local(&playbook) else { continue };
        let mut vars = vars.clone();
        // Packer gives these to every playbook.
        let own = [("packer_build_name", build.own_name().manifest()), ("packer_builder_type", build.kind.clone())];
        let read =
            found.as_ref().map(|found| playbook::reads(&found.full, &["packer_build_name", "packer_builder_type"]));
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
        fields.reader().drop("it names no playbook that could be taken over", "Write the step by hand.");
    }
    steps
}

/// `-e name=value` becomes `vars`; everything else stays an argument.
fn arguments(extra: &Reader, context: &Context, vars: &mut Map, args: &mut Vec<Value>) {
    // A text alone is a list with commas.
    let items: Vec<(Option<Words>, Reader)> = if extra.is_list() {
        extra.items().into_iter().map(|item| (context.words(&item), item)).collect()
    } else {
        context.list(extra).into_iter().map(|(words, item)| (Some(words), item)).collect()
    };
    // The value of a variable is no path that could be told from other text: it is told instead.
    let place = |words: &Words, item: &Reader| {
        let text = words.manifest();
        if context.beside(&text) != text {
            item.changed(
                "it holds the path of the template's folder on this computer",
                "Write a path that is right wherever the bake runs.",
            );
        }
    };
    let mut at = 0;
    while let Some((words, item)) = items.get(at) {
        at += 1;
        let Some(words) = words else { continue };
        let flag = words.literal().map(str::trim);
        if matches!(flag, Some("-e" | "--extra-vars"))
            && let Some((value, next)) = items.get(at)
        {
            at += 1;
            let Some(value) = value else { continue };
            place(value, next);
            if !pair(value, next, vars) {
                if value.is_secret() || crate::credential::given(&value.manifest()) {
                    next.drop("a secret can't be part of an argument", "Write it below `vars` of the step.");
                    continue;
                }
                args.push("--extra-vars".into());
                args.push(context.beside(&value.manifest()).into());
            }
            continue;
        }
        // `-e name=value` in one text.
        if let Some(rest) = strip(words, &["--extra-vars ", "--extra-vars=", "-e "])
            && pair(&rest, item, vars)
        {
            continue;
        }
        if words.is_secret() || crate::credential::given(&words.manifest()) {
            item.drop("a secret can't be part of an argument", "Write it below `vars` of the step.");
            continue;
        }
        let text = context.beside(&words.manifest());
        // Packer puts the arguments of ansible-local on a command line; here each is a word of its own.
        match strip(words, &["--extra-vars ", "-e "]) {
            Some(rest) => {
                args.push("--extra-vars".into());
                args.push(rest.manifest().trim().trim_matches(['"', '\'']).into());
            }
            None => args.push(text.into()),
        }
    }
}

/// Words without what they begin with.
fn strip(words: &Words, starts: &[&str]) -> Option<Words> {
    let Some(Part::Text(first)) = words.0.first() else { return None };
    let rest = starts.iter().find_map(|start| first.strip_prefix(start))?;
    let mut out = Words::text(rest);
    out.extend(Words(words.0[1..].to_vec()));
    Some(out)
}

/// One `name=value` without spaces or quotes; more of them stay an argument.
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
    if value.literal().is_some_and(|literal| crate::credential::named(name) && !literal.is_empty()) {
        let secret = crate::credential::variable(name);
        from.drop(
            "the value of a credential is never copied",
            format!("Set the environment variable {secret} for the bake; `secrets` names it."),
        );
        vars.set_from(name, format!("${{{{ secrets.{secret} }}}}"), from);
        return true;
    }
    vars.set_from(name, value.manifest(), from);
    true
}
