//! A map whose entries have an end, for the stores in process.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

use kit::clock::UnixMillis;

/// A map whose entries are gone at their end. What has ended is removed by
/// [`Expiring::purge`], at a cost that grows with what is removed and not with
/// what is there.
pub(crate) struct Expiring<K, V> {
    entries: HashMap<K, Entry<V>>,
    ends: BTreeSet<(UnixMillis, K)>,
}

struct Entry<V> {
    value: V,
    ends_at: UnixMillis,
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            ends: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord, V> Expiring<K, V> {
    /// The value of `key`, if it has not ended.
    pub(crate) fn get(&self, key: &K, now: UnixMillis) -> Option<&V> {
        let entry = self.entries.get(key)?;
        (entry.ends_at > now).then_some(&entry.value)
    }

    /// The same, to be changed. Its end stays.
    pub(crate) fn get_mut(&mut self, key: &K, now: UnixMillis) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        (entry.ends_at > now).then_some(&mut entry.value)
    }

    /// Sets a value and its end.
    pub(crate) fn insert(&mut self, key: K, value: V, ends_at: UnixMillis) {
        self.remove(&key);
        self.ends.insert((ends_at, key.clone()));
        self.entries.insert(key, Entry { value, ends_at });
    }

    /// The value of `key`, made anew if there is none or it has ended; its end
    /// is set in either case.
    pub(crate) fn renewed(&mut self, key: &K, now: UnixMillis, ends_at: UnixMillis) -> &mut V
    where
        V: Default,
    {
        if self.get(key, now).is_none() {
            self.remove(key);
        }
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry {
            value: V::default(),
            ends_at,
        });
        self.ends.remove(&(entry.ends_at, key.clone()));
        self.ends.insert((ends_at, key.clone()));
        entry.ends_at = ends_at;
        &mut entry.value
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.ends.remove(&(entry.ends_at, key.clone()));
        Some(entry.value)
    }

    /// Takes out whatever has ended.
    pub(crate) fn purge(&mut self, now: UnixMillis) {
        while let Some((ends_at, _)) = self.ends.first()
            && *ends_at <= now
            && let Some((_, key)) = self.ends.pop_first()
        {
            self.entries.remove(&key);
        }
    }

    /// How many entries there are, with those that ended and were not purged.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_gone_at_its_end() {
        let mut map = Expiring::default();
        map.insert("a", 1, UnixMillis(10));
        map.insert("b", 2, UnixMillis(20));
        assert_eq!(map.get(&"a", UnixMillis(9)), Some(&1));
        assert_eq!(map.get(&"a", UnixMillis(10)), None);
        map.insert("b", 3, UnixMillis(30));
        map.purge(UnixMillis(20));
        assert_eq!(map.len(), 1);
        assert_eq!(map.get(&"b", UnixMillis(29)), Some(&3));
        map.purge(UnixMillis(30));
        assert_eq!(map.len(), 0);
    }
}
