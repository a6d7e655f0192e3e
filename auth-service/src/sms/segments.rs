//! How long a text is on its way to a phone: in segments, each of which is paid.
//!
//! A text of GSM 03.38's characters alone has 160 septets in one message; any
//! other is sent in UCS-2, with 70 units in one message. What is longer is cut
//! into parts, each of which loses some octets to the number that it has (3GPP TS
//! 23.038 and 23.040).

use std::fmt;

/// How a text's characters are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Seven bits for a character, fourteen for one of the extension table.
    Gsm,
    /// Sixteen bits for a character, and twice as many for what lies beyond
    /// U+FFFF, such as an emoji.
    Ucs2,
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gsm => "GSM-7",
            Self::Ucs2 => "UCS-2",
        })
    }
}

impl Encoding {
    /// Units in a message of one segment, and in each part of a longer one.
    fn room(self) -> (u32, u32) {
        match self {
            Self::Gsm => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// How long a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// How it is sent.
    pub encoding: Encoding,
    /// Septets, or units of 16 bits.
    pub units: u32,
    /// Segments; one for an empty text too.
    pub segments: u32,
}

/// The characters of one septet, but for the escape.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                   ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The characters of two septets: an escape and another one.
const GSM_EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Measures a text.
pub fn measure(text: &str) -> Length {
    let septets = |each: char| match each {
        // Nearly all that is measured, without a search.
        'a'..='z' | 'A'..='Z' | '0'..='9' => Some(1),
        _ if GSM.contains(each) => Some(1),
        _ if GSM_EXTENSION.contains(each) => Some(2),
        _ => None,
    };
    let in_gsm: Option<Vec<u32>> = text.chars().map(septets).collect();
    let (encoding, characters) = if let Some(characters) = in_gsm {
        (Encoding::Gsm, characters)
    } else {
        let units = |each: char| if each.len_utf16() == 1 { 1 } else { 2 };
        (Encoding::Ucs2, text.chars().map(units).collect())
    };
    let units = characters.iter().sum();
    let (alone, part) = encoding.room();
    let segments = if units <= alone {
        1
    } else {
        parts(&characters, part)
    };
    Length {
        encoding,
        units,
        segments,
    }
}

/// Parts of `room` units, none of which ends in the middle of a character.
fn parts(characters: &[u32], room: u32) -> u32 {
    let (mut parts, mut used) = (1, 0);
    for &units in characters {
        if used + units > room {
            parts += 1;
            used = 0;
        }
        used += units;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_length() {
        use Encoding::{Gsm, Ucs2};
        let rows = [
            (String::new(), Gsm, 0, 1),
            ("Your code: 3613".to_owned(), Gsm, 15, 1),
            // The whole default alphabet is one septet each.
            (GSM.to_owned(), Gsm, 127, 1),
            (GSM_EXTENSION.to_owned(), Gsm, 20, 1),
            ("a".repeat(160), Gsm, 160, 1),
            ("a".repeat(161), Gsm, 161, 2),
            ("a".repeat(306), Gsm, 306, 2),
            ("a".repeat(307), Gsm, 307, 3),
            ("€".repeat(80), Gsm, 160, 1),
            (format!("a{}", "€".repeat(80)), Gsm, 161, 2),
            // 153 septets hold 76 of two: the last septet of a part stays empty.
            ("€".repeat(152), Gsm, 304, 2),
            ("€".repeat(153), Gsm, 306, 3),
            // Septets 153 and 154 are one character, which goes to the next part.
            (
                format!("{}[{}", "a".repeat(152), "b".repeat(151)),
                Gsm,
                305,
                2,
            ),
            (
                format!("{}[{}", "a".repeat(152), "b".repeat(152)),
                Gsm,
                306,
                3,
            ),
            (
                format!("{}[{}", "a".repeat(151), "b".repeat(153)),
                Gsm,
                306,
                2,
            ),
            // One other character, and all are sent in sixteen bits.
            ("я".to_owned(), Ucs2, 1, 1),
            (format!("{}я", "a".repeat(69)), Ucs2, 70, 1),
            (format!("{}я", "a".repeat(70)), Ucs2, 71, 2),
            ("я".repeat(134), Ucs2, 134, 2),
            ("я".repeat(135), Ucs2, 135, 3),
            // What looks the same is not: a cedilla, an apostrophe, a dash.
            ("Ç".to_owned(), Gsm, 1, 1),
            ("ç".to_owned(), Ucs2, 1, 1),
            ("don’t".to_owned(), Ucs2, 5, 1),
            ("`".to_owned(), Ucs2, 1, 1),
            ("\t".to_owned(), Ucs2, 1, 1),
            // A pair of surrogates is two units, and is not cut.
            ("📱".to_owned(), Ucs2, 2, 1),
            ("📱".repeat(35), Ucs2, 70, 1),
            ("📱".repeat(36), Ucs2, 72, 2),
            ("📱".repeat(66), Ucs2, 132, 2),
            ("📱".repeat(67), Ucs2, 134, 3),
            (
                format!("{}📱{}", "я".repeat(66), "я".repeat(65)),
                Ucs2,
                133,
                2,
            ),
            (
                format!("{}📱{}", "я".repeat(66), "я".repeat(66)),
                Ucs2,
                134,
                3,
            ),
        ];
        for (text, encoding, units, segments) in rows {
            let expected = Length {
                encoding,
                units,
                segments,
            };
            assert_eq!(measure(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_alphabets_have_no_character_twice() {
        let mut all: Vec<char> = GSM.chars().chain(GSM_EXTENSION.chars()).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        // 128 less the escape, and the ten of the extension table.
        assert_eq!((count, all.len()), (137, 137));
    }
}
