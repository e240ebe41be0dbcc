//! Which browser on which system a user agent names, as far as a person needs to know their own
//! devices again. It is what the browser said of itself: good for a hint, never for a decision.

/// What a user agent says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) browser: Option<&'static str>,
    pub(super) system: Option<&'static str>,
}

/// In this order: most browsers also name those they are descended from.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

/// In this order: Android names Linux too, and phones of Apple name Mac OS X.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

impl Device {
    /// Reads a `User-Agent`.
    pub(super) fn of(user_agent: &str) -> Self {
        let first = |known: &[(&str, &'static str)]| {
            known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
        };
        Self { browser: first(&BROWSERS), system: first(&SYSTEMS) }
    }

    /// Whether it is one that is held in a hand.
    pub(super) fn handheld(self) -> bool {
        matches!(self.system, Some("Android" | "iOS" | "iPadOS"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_browsers_are_known() {
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36";
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15";
        let phone = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36";
        for (user_agent, browser, system) in [
            (format!("{windows} Chrome/130.0.0.0 Safari/537.36"), "Chrome", "Windows"),
            (format!("{windows} Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0"), "Edge", "Windows"),
            (format!("{windows} Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0"), "Opera", "Windows"),
            (format!("{iphone} Version/18.0 Mobile/15E148 Safari/604.1"), "Safari", "iOS"),
            (format!("{iphone} CriOS/130.0 Mobile/15E148 Safari/604.1"), "Chrome", "iOS"),
            (format!("{iphone} FxiOS/130.0 Mobile/15E148 Safari/604.1"), "Firefox", "iOS"),
            (format!("{phone} Chrome/130.0.0.0 Mobile Safari/537.36"), "Chrome", "Android"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.0 Safari/605.1.15"
                    .to_owned(),
                "Safari",
                "macOS",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0".to_owned(),
                "Firefox",
                "Linux",
            ),
        ] {
            let device = Device::of(&user_agent);
            let expected = Device { browser: Some(browser), system: Some(system) };
            assert_eq!(device, expected, "{user_agent}");
        }
        let phone = Device::of(phone);
        assert!(phone.handheld() && phone.browser.is_none());
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for user_agent in ["", "<script>", "openid-client/6.0"] {
            assert_eq!(Device::of(user_agent), Device { browser: None, system: None });
        }
    }
}
