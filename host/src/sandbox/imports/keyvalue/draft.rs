//! The host side of `wasi:keyvalue@0.2.0-draft`.

use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::draft::wasi::keyvalue::{atomics, batch, store};
use crate::sandbox::grants::{Bucket, PageStart, StateError};
use crate::sandbox::state::GuestState;

impl store::Host for GuestState {
    async fn open(&mut self, identifier: String) -> Result<Result<Resource<Bucket>, store::Error>> {
        let Some(bucket) = Bucket::new(&identifier) else { return Ok(Err(store::Error::NoSuchStore)) };
        Ok(Ok(self.table.push(bucket)?))
    }
}

impl store::HostBucket for GuestState {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(self.grants.state.get(bucket, key).await.map_err(error))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<Result<(), store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(self.grants.state.set(bucket, vec![(key, value)]).await.map_err(error))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<(), store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(self.grants.state.delete(bucket, vec![key]).await.map_err(error))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<bool, store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(self.grants.state.exists(bucket, key).await.map_err(error))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<Result<store::KeyResponse, store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        let start = cursor.unwrap_or_default();
        let page = match self.grants.state.list_keys(bucket, PageStart::Index(start)).await {
            Ok(page) => page,
            Err(reason) => return Ok(Err(error(reason))),
        };
        let cursor = page.has_more.then(|| start.saturating_add(page.keys.len() as u64));
        Ok(Ok(store::KeyResponse { keys: page.keys, cursor }))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for GuestState {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Result<Result<u64, store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        let range = (0, u64::MAX.into());
        let sum = self.grants.state.increment(bucket, key, delta.into(), range).await;
        Ok(sum.and_then(|sum| sum.try_into().map_err(|_| StateError::OutOfRange)).map_err(error))
    }
}

impl batch::Host for GuestState {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Result<Vec<Option<(String, Vec<u8>)>>, store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        let entries = self.grants.state.get_many(bucket, keys).await;
        Ok(entries
            .map(|entries| entries.into_iter().map(|(key, value)| value.map(|value| (key, value))).collect())
            .map_err(error))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Result<Result<(), store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(self.grants.state.set(bucket, key_values).await.map_err(error))
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<Result<(), store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(self.grants.state.delete(bucket, keys).await.map_err(error))
    }
}

fn error(error: StateError) -> store::Error {
    store::Error::Other(error.to_string())
}
