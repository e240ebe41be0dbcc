use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::*;

const LOCALES: [(Language, &str); 3] = [
    (Language::English, include_str!("../../../assets/locales/en.ftl")),
    (Language::German, include_str!("../../../assets/locales/de.ftl")),
    (Language::French, include_str!("../../../assets/locales/fr.ftl")),
];

/// Messages whose ids are put together from a word of the protocol.
const COMPOSED: [&str; 3] = ["error-", "scope-", "month"];

/// Each message of a file with the names of its arguments.
fn messages(source: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found = BTreeMap::new();
    let mut current = "";
    for line in source.lines() {
        if line.starts_with(|letter: char| letter.is_ascii_lowercase()) {
            current = line.split(" =").next().unwrap();
            assert!(found.insert(current, BTreeSet::new()).is_none(), "{current} stands twice");
        }
        if line.starts_with('#') {
            continue;
        }
        for rest in line.split('$').skip(1) {
            let end = rest.find(|letter: char| !letter.is_ascii_lowercase()).unwrap();
            found.get_mut(current).unwrap().insert(&rest[..end]);
        }
    }
    found
}

/// The texts of all files below a folder of this crate.
fn sources(folder: &str, extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|given| given == extension) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn every_language_can_be_read_and_has_a_bundle() {
    assert_eq!(LOCALES.map(|(language, _)| language), Language::ALL);
    for (language, source) in LOCALES {
        assert!(FluentResource::try_new(source.to_owned()).is_ok(), "{language:?}");
        assert!(language.tag().parse::<LanguageIdentifier>().is_ok(), "{language:?}");
        assert!(language.knows("login-title"), "{language:?}");
    }
}

#[test]
fn all_languages_have_the_same_messages_with_the_same_arguments() {
    let [(_, english), others @ ..] = LOCALES;
    let english = messages(english);
    assert!(english.len() > 50 && english["login-page-title"].contains("tenant"));
    for (language, source) in others {
        let other = messages(source);
        for (id, arguments) in &english {
            assert_eq!(other.get(id), Some(arguments), "{language:?} {id}");
        }
        assert_eq!(other.len(), english.len(), "{language:?} has messages of its own");
    }
}

#[test]
fn a_message_with_an_argument_can_be_cut_there() {
    for (language, source) in LOCALES {
        for (id, arguments) in messages(source) {
            let [name] = Vec::from_iter(arguments)[..] else { continue };
            let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
            let whole = language.with(id, name, "value");
            let Around { before, after } = language.around(id, name);
            if whole.contains("value") {
                assert_eq!(whole, format!("{before}value{after}"), "{language:?} {id}");
            }
        }
    }
}

#[test]
fn languages_differ() {
    let titles: BTreeSet<_> = Language::ALL.map(|language| language.say("login-wrong")).into();
    assert_eq!(titles.len(), Language::ALL.len());
}

/// What a text asks of the catalogue: the literal after `say(`, `with(` or `around(`.
fn asked(text: &str) -> Vec<&str> {
    ["say(\"", "with(\"", "around(\"", "fill(\""]
        .into_iter()
        .flat_map(|call| text.split(call).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|id| id.contains('-') && !id.contains('{'))
        .collect()
}

#[test]
fn what_pages_ask_for_is_there_and_nothing_is_left_over() {
    let templates = sources("assets/templates", "html");
    let code = sources("src/http", "rs");
    assert!(templates.len() >= 4 && code.len() >= 40);
    let known = messages(LOCALES[0].1);
    let mut count = 0;
    for (path, text) in &templates {
        for id in asked(text) {
            assert!(known.contains_key(id), "{id} in {}", path.display());
            count += 1;
        }
    }
    assert!(count > 10, "templates ask for texts: {count}");
    for id in known.keys() {
        let quoted = format!("\"{id}\"");
        let used = templates.iter().chain(&code).any(|(_, text)| text.contains(&quoted));
        assert!(used || COMPOSED.iter().any(|prefix| id.starts_with(prefix)), "{id} is unused");
    }
}

/// What remains of a template without its expressions, statements and tags.
fn prose(template: &str) -> String {
    let without = |text: &str, open: &str, close: &str| {
        let mut rest = text;
        let mut kept = String::new();
        while let Some((before, inside)) = rest.split_once(open) {
            kept.push_str(before);
            rest = inside.split_once(close).unwrap_or_else(|| panic!("{open} in {text}")).1;
        }
        kept + rest
    };
    let text = without(template, "{% block page %}", "{% endblock %}");
    let text = without(&text, "{#", "#}");
    let text = without(&text, "{%", "%}");
    let text = without(&text, "{{", "}}");
    without(&text, "<", ">")
}

#[test]
fn no_template_has_prose_of_its_own() {
    for (path, text) in sources("assets/templates", "html") {
        let prose = prose(&text);
        let words = prose.split_whitespace().find(|word| word.contains(char::is_alphabetic));
        assert_eq!(words, None, "{}", path.display());
        for attribute in ["aria-label", "title", "alt", "placeholder", "aria-roledescription"] {
            for value in text.split(&format!(" {attribute}=\"")).skip(1) {
                let told = value.starts_with("{{") || value.starts_with('"');
                assert!(told, "{attribute} in {}", path.display());
            }
        }
    }
    assert!(prose("<p class=\"x\">{{ y }} Words {% if z %}</p>").contains("Words"));
}

#[test]
fn a_missing_text_shows_its_id() {
    assert_eq!(Language::German.say("no-such-text"), "no-such-text");
}

#[test]
fn a_name_cannot_turn_the_sentence_around_it() {
    let name = "\u{202e}אבג";
    let said = Language::English.with("login-page-title", "tenant", name);
    assert_eq!(said, format!("Sign in to \u{2068}{name}\u{2069}"));
    assert_eq!(Language::English.with("login-page-title", "tenant", "Demo"), "Sign in to Demo");
}
