//! A file of texts: a line `[en]` begins the one in that language.

use super::language;

/// The languages and their texts, in the order of the file.
pub(super) fn read(file: &str) -> Result<Vec<(String, String)>, String> {
    let mut sections: Vec<(String, Vec<&str>)> = Vec::new();
    for (number, line) in (1..).zip(file.trim_start_matches('\u{feff}').lines()) {
        let name = line
            .trim()
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'));
        if let Some(name) = name {
            let language = language::tag(name).ok_or_else(|| {
                format!("line {number}: '[{name}]' names no language, as [en] does")
            })?;
            if sections.iter().any(|(known, _)| *known == language) {
                return Err(format!("line {number}: [{name}] is there twice"));
            }
            sections.push((language, Vec::new()));
        } else if let Some((_, lines)) = sections.last_mut() {
            lines.push(line);
        } else if !line.trim().is_empty() {
            return Err(format!(
                "line {number} comes before the first language, such as [en]"
            ));
        }
    }
    if sections.is_empty() {
        return Err("it has no language, such as [en], in it".to_owned());
    }
    let texts = sections.into_iter();
    Ok(texts
        // Empty lines between two languages belong to neither.
        .map(|(language, lines)| (language, lines.join("\n").trim_matches('\n').to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_text_for_each_language() {
        let file =
            "\u{feff}\n[en]\r\n\nCode: {code}\r\n\n@example.com #{code}\n\n\n [pt-BR] \n{code}";
        let expected = [
            ("en", "Code: {code}\n\n@example.com #{code}"),
            ("pt-br", "{code}"),
        ];
        let expected = expected.map(|(language, text)| (language.to_owned(), text.to_owned()));
        assert_eq!(read(file).unwrap(), expected);
    }

    #[test]
    fn a_wrong_file_is_told() {
        for (file, told) in [
            ("", "no language"),
            ("\n\n", "no language"),
            ("{code}\n[en]\n{code}", "line 1 comes before"),
            ("[en]\n{code}\n[EN]\n{code}", "line 3: [EN] is there twice"),
            ("[e]\n{code}", "line 1: '[e]'"),
            ("[en_GB]\n{code}", "line 1: '[en_GB]'"),
            ("[en]\n[see below] {code}\n[]", "line 3: '[]'"),
        ] {
            let error = read(file).unwrap_err();
            assert!(error.contains(told), "{file:?}: {error}");
        }
    }
}
