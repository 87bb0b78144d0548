//! Moves settings that all images share to `defaults`.

use crate::yaml::{Map, Value};

/// Maps of an image that are merged with those of `defaults`, key by key.
const MERGED: [&str; 2] = ["machine", "publish"];

/// Moves entries that all images share to `defaults`. A list is moved whole or not at all.
pub(crate) fn hoist_defaults(root: &mut Map) {
    let mut common: Vec<(&str, Map)> = Vec::new();
    {
        let Some(Value::Map(images)) = root.get("images") else { return };
        let (Some(first), true) = (images.0.first(), images.0.len() > 1) else { return };
        let of = |image: &Value, key: &str| match image {
            Value::Map(image) if image.get("platforms").is_none() => match image.get(key) {
                Some(Value::Map(map)) => map.clone(),
                _ => Map::default(),
            },
            // The image is for some platforms only: `defaults` would apply to the others too.
            _ => Map::default(),
        };
        for key in MERGED {
            let mut shared = of(&first.value, key);
            for image in &images.0[1..] {
                let other = of(&image.value, key);
                shared.0.retain(|entry| other.0.contains(entry) && entry.key != "name");
            }
            if !shared.is_empty() {
                common.push((key, shared));
            }
        }
    }
    for (key, shared) in &common {
        for entry in root.0.iter_mut().filter(|entry| entry.key == "images") {
            let Value::Map(images) = &mut entry.value else { continue };
            for image in &mut images.0 {
                if let Value::Map(image) = &mut image.value {
                    image.within(key, |map| map.0.retain(|entry| !shared.0.contains(entry)));
                    image.0.retain(|entry| !matches!(&entry.value, Value::Map(map) if map.is_empty()));
                }
            }
        }
    }
    if common.is_empty() {
        return;
    }
    let known = root.get("defaults").is_some();
    root.within("defaults", |defaults| {
        for (at, (key, shared)) in common.into_iter().enumerate() {
            let map = Map(vec![crate::yaml::Entry {
                key: key.to_owned(),
                value: shared.into(),
                comment: Vec::new(),
                origin: None,
            }]);
            // `machine` before the steps, `publish` after them.
            let place = if key == "machine" { at } else { defaults.0.len() };
            defaults.0.splice(place..place, map.0);
        }
    });
    if !known && let Some(at) = root.0.iter().position(|entry| entry.key == "images") {
        let entry = root.0.pop();
        root.0.splice(at..at, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::write;

    fn map(entries: &[(&str, Value)]) -> Value {
        let mut map = Map::default();
        for (key, value) in entries {
            map.set(*key, value.clone());
        }
        map.into()
    }

    #[test]
    fn shared_settings_are_written_once() {
        let image = |user: &str, name: &str| {
            map(&[
                ("machine", map(&[("type", "t3.small".into()), ("user", user.into())])),
                ("publish", map(&[("name", name.into()), ("description", "d".into())])),
            ])
        };
        let mut root = Map::default();
        root.set("images", map(&[("a", image("x", "m")), ("b", image("z", "m"))]));
        hoist_defaults(&mut root);
        assert_eq!(
            write(&root),
            "defaults:\n  machine:\n    type: t3.small\n  publish:\n    description: d\nimages:\n  a:\n    machine:\n      user: x\n    publish:\n      name: m\n  b:\n    machine:\n      user: z\n    publish:\n      name: m\n"
        );
        let mut alone = Map::default();
        alone.set("images", map(&[("a", image("x", "m"))]));
        let before = alone.clone();
        hoist_defaults(&mut alone);
        assert_eq!(alone, before);
    }
}
