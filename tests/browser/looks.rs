//! How a view looks to those who see it and to those who do not.

use std::{fs, path::PathBuf};

use serde_json::json;

use crate::person::Person;

/// Width and height of a phone and of a desk, in CSS pixels.
const SCREENS: [(u32, u32); 2] = [(360, 880), (1280, 900)];
const AXE: &str = "const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, help, nodes }) =>
        [id, help, ...nodes.map((node) => node.html + ': ' + node.failureSummary)].join('\\n'));";

impl Person {
    /// Checks the view of now in both colour schemes and on both screens, and
    /// takes pictures of it, in target/browser/pictures.
    pub(crate) async fn looks_well(&self, view: &str) {
        let known = "return typeof axe === 'object'";
        if self.script(known, &[]).await == false {
            let axe = work().join("node_modules/axe-core/axe.min.js");
            let axe = fs::read_to_string(&axe).unwrap_or_else(|error| {
                panic!("{}: {error}: run tests/browser/setup", axe.display())
            });
            self.script(&axe, &[]).await;
        }
        for scheme in ["light", "dark"] {
            let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
            let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
            let media = json!({ "features": [feature, still] });
            self.cdp("Emulation.setEmulatedMedia", media).await;
            for (width, height) in SCREENS {
                self.screen(width, height).await;
                let beyond = "const { scrollWidth, clientWidth } = document.documentElement;
                    return scrollWidth - clientWidth;";
                let beyond = self.script(beyond, &[]).await;
                assert_eq!(beyond, 0, "{view} scrolls sideways at {width} px");
                // Each scheme and each screen once: it takes its time.
                if (scheme == "light") == (width == SCREENS[0].0) {
                    let violations = self.async_script(AXE, &[]).await;
                    assert_eq!(violations, json!([]), "{view}, {scheme}, {width} px");
                }
                self.picture(&format!("{view}-{scheme}-{width}")).await;
            }
        }
    }

    async fn screen(&self, width: u32, height: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    async fn picture(&self, name: &str) {
        self.script("scrollTo(0, 0)", &[]).await;
        let folder = work().join("pictures");
        fs::create_dir_all(&folder).unwrap();
        let picture = self.driver.screenshot_as_png().await.unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }
}

/// The folder of `tests/browser/setup`, beside the programs of this build.
fn work() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_customauth"));
    program.ancestors().nth(2).unwrap().join("browser")
}
