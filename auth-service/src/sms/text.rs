//! What a message says: a text for each language.

mod language;
mod sections;
mod template;

use std::{fs::File, io::Read as _, time::Duration};

use super::segments::{Length, measure};
use crate::code::{self, Code};
use template::{CODE, Template};

/// The longest file of texts that is read, in bytes.
const LONGEST_FILE: u64 = 64 * 1024;
/// The language of a single text, which is for everybody.
const ANY: &str = "*";
const BUILT_IN: &str = "[en]
Your code is {code}. It is good for {minutes} min. Tell it to nobody.
[ru]
Ваш код: {code}. Он действует {minutes} мин. Никому его не сообщайте.
";

/// A text as it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// The words.
    pub text: String,
    /// In how many segments they are sent.
    pub segments: u32,
}

/// The texts of all languages; the first is the default. There is one at least.
#[derive(Clone, Debug)]
pub struct Texts {
    first: Localised,
    others: Vec<Localised>,
}

#[derive(Clone, Debug)]
struct Localised {
    language: String,
    template: Template,
}

impl Texts {
    /// The built-in ones: English, and Russian.
    ///
    /// # Errors
    /// None: a test reads them.
    pub fn built_in() -> Result<Self, String> {
        Self::from_file(BUILT_IN)
    }

    /// What `AUTH_SMS_TEMPLATE` says: a text, in which `\n` stands for a new line,
    /// or the path of a file of texts.
    ///
    /// # Errors
    /// In words, when it is neither, or has a mistake in it.
    pub fn read(setting: &str) -> Result<Self, String> {
        if setting.contains(CODE) {
            let template = Template::parse(&setting.replace("\\n", "\n"))?;
            let language = ANY.to_owned();
            return Ok(Self {
                first: Localised { language, template },
                others: Vec::new(),
            });
        }
        let mut text = String::new();
        File::open(setting)
            .and_then(|file| file.take(LONGEST_FILE + 1).read_to_string(&mut text))
            .map_err(|error| {
                format!("it is no text with {CODE} in it, and no file that can be read: {error}")
            })?;
        if text.len() as u64 > LONGEST_FILE {
            return Err(format!("the file is longer than {LONGEST_FILE} bytes"));
        }
        Self::from_file(&text).map_err(|error| format!("in the file: {error}"))
    }

    /// Texts as they stand in a file.
    ///
    /// # Errors
    /// In words, when there is a mistake in it.
    pub fn from_file(file: &str) -> Result<Self, String> {
        let mut texts = Vec::new();
        for (language, text) in sections::read(file)? {
            let template =
                Template::parse(&text).map_err(|error| format!("[{language}]: {error}"))?;
            texts.push(Localised { language, template });
        }
        let mut texts = texts.into_iter();
        let first = texts.next().ok_or("it is empty")?;
        let others = texts.collect();
        Ok(Self { first, others })
    }

    /// The text for a code that lives so long, in the first of `languages`
    /// (as in Accept-Language) that there is one in.
    pub fn of_code(&self, code: &Code, lifetime: Duration, languages: Option<&str>) -> Text {
        let text = self
            .chosen(languages)
            .template
            .fill(code.digits(), lifetime);
        let segments = measure(&text).segments;
        Text { text, segments }
    }

    /// The languages and how long their texts get, with a code as long as any.
    pub fn longest(&self, lifetime: Duration) -> impl Iterator<Item = (&str, Length)> {
        let code = "0".repeat(*code::LENGTHS.end());
        self.all().map(move |each| {
            let length = measure(&each.template.fill(&code, lifetime));
            (each.language.as_str(), length)
        })
    }

    /// Tells the log what a message costs in each language.
    pub fn log(&self, lifetime: Duration) {
        for (language, length) in self.longest(lifetime) {
            let Length {
                encoding, segments, ..
            } = length;
            tracing::info!(language, segments, %encoding, "the text of messages");
        }
    }

    fn all(&self) -> impl Iterator<Item = &Localised> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn chosen(&self, languages: Option<&str>) -> &Localised {
        let Some(languages) = languages else {
            return &self.first;
        };
        let known: Vec<&str> = self.all().map(|each| each.language.as_str()).collect();
        let chosen = language::choose(languages, &known);
        self.all().nth(chosen).unwrap_or(&self.first)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::segments::Encoding, *};

    const TWO_MINUTES: Duration = Duration::from_secs(120);
    const HOUR: Duration = Duration::from_secs(3600);

    fn sent(texts: &Texts, languages: Option<&str>) -> String {
        let code = Code::parse("3613").unwrap();
        texts.of_code(&code, TWO_MINUTES, languages).text
    }

    #[test]
    fn the_built_in_texts_are_one_segment_each() {
        let texts = Texts::built_in().unwrap();
        let lengths: Vec<_> = texts.longest(HOUR).collect();
        assert_eq!(lengths.len(), 2);
        for ((language, length), expected) in lengths
            .into_iter()
            .zip([("en", Encoding::Gsm), ("ru", Encoding::Ucs2)])
        {
            assert_eq!((language, length.encoding), expected);
            assert_eq!(length.segments, 1, "{language}: {length:?}");
        }
        let english = "Your code is 3613. It is good for 2 min. Tell it to nobody.";
        assert_eq!(sent(&texts, None), english);
        assert_eq!(sent(&texts, Some("de")), english);
        let russian = "Ваш код: 3613. Он действует 2 мин. Никому его не сообщайте.";
        assert_eq!(sent(&texts, Some("ru-RU,ru;q=0.9,en;q=0.8")), russian);
    }

    /// The examples of the documentation, with what it says of their length: of a
    /// text with Android's hash in it, 140 bytes are the most.
    #[test]
    fn the_documented_examples_are_one_segment() {
        for (example, units) in [
            (r"{code} is your Example code.\n\nFA+9qCX9VSu", 45),
            (r"{code} is your Example code.\n\n@example.com #{code}", 58),
            (
                r"{code} is your Example code.\nFA+9qCX9VSu\n\n@example.com #{code}",
                70,
            ),
        ] {
            let texts = Texts::read(example).unwrap();
            let (_, length) = texts.longest(HOUR).next().unwrap();
            let expected = Length {
                encoding: Encoding::Gsm,
                units,
                segments: 1,
            };
            assert_eq!(length, expected, "{example}");
        }
    }

    #[test]
    fn a_single_text_is_for_everybody() {
        let texts = Texts::read(r"Code: {code}\n\n@example.com #{code}").unwrap();
        for languages in [None, Some("en"), Some("ru"), Some("*;q=0")] {
            assert_eq!(sent(&texts, languages), "Code: 3613\n\n@example.com #3613");
        }
    }

    #[test]
    fn a_file_is_read_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("texts");
        let path = path.to_str().unwrap();
        fs::write(path, "[ru]\nКод {code}\n[en]\nCode {code}\n").unwrap();
        let texts = Texts::read(path).unwrap();
        assert_eq!(sent(&texts, None), "Код 3613");
        assert_eq!(sent(&texts, Some("en-GB")), "Code 3613");
        for (contents, told) in [
            ("[en]\nCode", "in the file: [en]: it has no {code}"),
            ("Code {code}", "in the file: line 1"),
            (&*"\n".repeat(70_000), "longer than 65536 bytes"),
        ] {
            fs::write(path, contents).unwrap();
            let error = Texts::read(path).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        fs::write(path, b"[en]\n{code}\xff").unwrap();
        assert!(Texts::read(path).unwrap_err().contains("no file"));
        for absent in ["/nonexistent", "", "Your code", "/"] {
            let error = Texts::read(absent).unwrap_err();
            assert!(error.contains("no text with {code}"), "{error}");
        }
    }
}
