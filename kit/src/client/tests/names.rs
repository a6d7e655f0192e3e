//! Replicas that are found by a name.

use super::{super::replicas::Resolver, *};

/// Tells one address after the other.
struct Moving(Mutex<Vec<SocketAddr>>);

#[async_trait]
impl Resolver for Moving {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!((host, port), ("auth.example", 1));
        let mut addresses = self.0.lock().unwrap();
        match addresses.len() {
            0 => Err(io::ErrorKind::NotFound.into()),
            1 => Ok(addresses.clone()),
            _ => Ok(vec![addresses.remove(0)]),
        }
    }
}

#[tokio::test]
async fn a_name_is_looked_up_again_when_its_addresses_are_dead() {
    let (mut old, new) = (Server::start().await, Server::start().await);
    let resolver = Moving(Mutex::new(vec![old.address, new.address]));
    let targets = vec![Target::parse("http://auth.example:1").unwrap()];
    let channel = ServiceChannel(Arc::new(Shared {
        service: "the service",
        replicas: Arc::new(Replicas::new(targets, Box::new(resolver))),
        outgoing: Outgoing::default(),
        calls: None,
    }));
    call(&channel, CHANGES, 0).await.unwrap();
    assert_eq!(old.end().await.len(), 1);
    for id in 0..200 {
        if call(&channel, CHANGES, id).await.is_ok() {
            assert_eq!(new.taken(), 1);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is not found at its new address");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_as_unavailable() {
    let targets = vec![Target::parse("http://auth.example:1").unwrap()];
    let resolver = Box::new(Moving(Mutex::default()));
    let replicas = Arc::new(Replicas::new(targets, resolver));
    let Err(Unreachable(why)) = replicas.pick().await else {
        panic!("there is nobody");
    };
    assert!(why.starts_with("auth.example"), "{why}");
}
