//! docs/metrics.md lists what there is, and nothing else.

use super::*;

/// A row of docs/metrics.md's tables: a name and its labels.
fn row(line: &str) -> Option<(String, Labels)> {
    let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
    let name = cells.next()?.strip_suffix('`')?.to_owned();
    let labels = cells.next()?.split(", ").filter(|label| !label.is_empty());
    let labels = labels.map(|label| label.trim_matches('`').to_owned());
    Some((name, labels.collect()))
}

/// What the product has with these settings, after somebody signed in.
async fn served(product: Product) -> Families {
    User::new(&product, &phone(1)).await;
    product.get("/nothing", None).await;
    product.scrape().await;
    product.scrape().await.families()
}

/// The same with messages that are really sent, or not: to each family of theirs
/// something has happened.
async fn served_with_a_provider() -> Families {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let limits = [
        "--auth-sms-countries=+7",
        "--auth-sms-prices=*=0.10",
        "--auth-sms-daily-cost=*=100",
    ];
    let flags = sms::flags("webhook", &receiver, &receiver);
    let product = sms::product(&flags, &limits).await;
    for (number, status) in [(sms::phone(1), 200), ("+4915123456789".to_owned(), 429)] {
        let asked = sms::ask(&product, &number).await;
        assert_eq!(asked.status, status, "{}", asked.body);
    }
    receiver.messages(1).await;
    let delivered = r#"customauth_sms_messages_total{outcome="delivered"} 1"#;
    for _ in 0..500 {
        let scrape = product.scrape().await;
        if scrape.0.contains(delivered) {
            return scrape.families();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing was delivered within 10 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_lists_all_that_there_is_and_nothing_else() {
    let page = include_str!("../../../docs/metrics.md");
    let listed: BTreeMap<String, Labels> = page.lines().filter_map(row).collect();
    let mut there = served(Product::embedded(&[]).await).await;
    there.extend(served(Product::servers(&[]).await).await);
    for (name, labels) in served_with_a_provider().await {
        if name.starts_with("customauth_sms_") {
            assert!(labels.is_some(), "nothing happened to {name}");
            there.insert(name, labels);
        }
    }
    let names: BTreeSet<_> = listed.keys().collect();
    assert_eq!(names, there.keys().collect());
    for (name, labels) in &there {
        // Of what has counted nothing yet, the labels do not show.
        if let Some(labels) = labels {
            assert_eq!(labels, &listed[name], "the labels of {name}");
        }
    }

    // What it says elsewhere, in the alerts, is there too.
    let words = page.split(|each: char| !each.is_ascii_alphanumeric() && each != '_');
    for word in words.filter(|word| word.starts_with("customauth_")) {
        let family = word.strip_suffix("_bucket").unwrap_or(word);
        assert!(there.contains_key(family), "{word}");
    }
}
