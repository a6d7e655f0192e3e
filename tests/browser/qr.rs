//! The QR code, read back by a decoder that others wrote.

use serde_json::json;

use crate::person::Person;

/// Pixels for a module.
const SCALE: usize = 4;

impl Person {
    /// What the QR code on the page says.
    pub(crate) async fn scans(&self) -> String {
        let script = "const svg = document.querySelector('#qr svg');
            return [svg.viewBox.baseVal.width, svg.firstChild.getAttribute('d')];";
        let drawn = self.script(script, &[]).await;
        decoded(&drawn[0].to_string(), drawn[1].as_str().unwrap())
    }

    /// What the encoder makes of a text, read back; none if it does not fit.
    pub(crate) async fn encodes(&self, text: &str) -> Option<String> {
        let script = "const { qr } = await import('/web/qr.js');
            const svg = qr(given[0]);
            return svg && [svg.viewBox.baseVal.width, svg.firstChild.getAttribute('d')];";
        let drawn = self.async_script(script, &[json!(text)]).await;
        (!drawn.is_null()).then(|| decoded(&drawn[0].to_string(), drawn[1].as_str().unwrap()))
    }
}

/// `path` is a list of squares, as in "M4 4h1v1h-1z".
fn decoded(size: &str, path: &str) -> String {
    let size: usize = size.parse().unwrap();
    let mut dark = vec![false; size * size];
    for square in path.split('M').skip(1) {
        let (x, rest) = square.split_once(' ').unwrap();
        let y = rest.strip_suffix("h1v1h-1z").unwrap();
        let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
        dark[y * size + x] = true;
    }
    let side = size * SCALE;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
        if dark[y / SCALE * size + x / SCALE] {
            0
        } else {
            255
        }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}
