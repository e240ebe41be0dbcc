//! What a client gets with a scope, in words; a scope without words is shown by its name.

use std::borrow::Cow;

use super::language::Language;

/// One line of what is asked for.
pub(super) struct Line<'a> {
    pub(super) words: Cow<'static, str>,
    /// The scope's name, where there is no better word for it.
    pub(super) name: Option<&'a str>,
}

/// The lines for scopes, in their order.
pub(super) fn lines<'a>(language: Language, scopes: &[&'a str]) -> Vec<Line<'a>> {
    scopes.iter().map(|scope| line(language, scope)).collect()
}

fn line(language: Language, scope: &str) -> Line<'_> {
    let id = format!("scope-{scope}");
    if is_word(scope) && language.knows(&id) {
        return Line { words: language.say(&id), name: None };
    }
    Line { words: language.say("scope"), name: Some(scope) }
}

/// What could be the end of a message's id.
fn is_word(scope: &str) -> bool {
    scope.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_scopes_have_words_and_others_a_name() {
        for language in Language::ALL {
            let scopes = ["openid", "email", "reports:read", "", "client"];
            let lines = lines(language, &scopes);
            let names: Vec<Option<&str>> = lines.iter().map(|line| line.name).collect();
            assert_eq!(names, [None, None, Some("reports:read"), Some(""), Some("client")]);
            assert_eq!(lines[2].words, language.say("scope"));
        }
    }

    #[test]
    fn the_scopes_of_openid_connect_have_words() {
        for scope in identity::oauth::scope::OPENID {
            assert_eq!(line(Language::French, scope).name, None, "{scope}");
        }
        assert_eq!(line(Language::French, "offline_access").name, None);
    }
}
