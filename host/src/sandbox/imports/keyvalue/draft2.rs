//! The host side of `wasi:keyvalue@0.2.0-draft2`.

use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::draft2::wasi::keyvalue::{atomics, batch, store};
use crate::sandbox::grants::{Bucket, HeldCas, PageStart, StateError, digest};
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
        cursor: Option<String>,
    ) -> Result<Result<store::KeyResponse, store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        let start = cursor.map_or(PageStart::Index(0), PageStart::After);
        let page = match self.grants.state.list_keys(bucket, start).await {
            Ok(page) => page,
            Err(reason) => return Ok(Err(error(reason))),
        };
        let cursor = if page.has_more { page.keys.last().cloned() } else { None };
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
        delta: i64,
    ) -> Result<Result<i64, store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        let range = (i64::MIN.into(), i64::MAX.into());
        let sum = self.grants.state.increment(bucket, key, delta.into(), range).await;
        Ok(sum.and_then(|sum| sum.try_into().map_err(|_| StateError::OutOfRange)).map_err(error))
    }

    async fn swap(&mut self, cas: Resource<HeldCas>, value: Vec<u8>) -> Result<Result<(), atomics::CasError>> {
        let HeldCas { bucket, key, expected } = self.table.delete(cas)?;
        match self.grants.state.swap(bucket.clone(), key.clone(), expected, value).await {
            Ok(Ok(())) => Ok(Ok(())),
            Ok(Err(current)) => {
                let cas = self.table.push(HeldCas { bucket, key, expected: current })?;
                Ok(Err(atomics::CasError::CasFailed(cas)))
            }
            Err(reason) => Ok(Err(atomics::CasError::StoreError(error(reason)))),
        }
    }
}

impl atomics::HostCas for GuestState {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Resource<HeldCas>, store::Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        let expected = match self.grants.state.get(bucket.clone(), key.clone()).await {
            Ok(value) => value.map(|value| digest(&value)),
            Err(reason) => return Ok(Err(error(reason))),
        };
        Ok(Ok(self.table.push(HeldCas { bucket, key, expected })?))
    }

    /// Returns the current value, which `swap` expects from now on.
    async fn current(&mut self, cas: Resource<HeldCas>) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        let HeldCas { bucket, key, .. } = self.table.get(&cas)?.clone();
        let value = match self.grants.state.get(bucket, key).await {
            Ok(value) => value,
            Err(reason) => return Ok(Err(error(reason))),
        };
        self.table.get_mut(&cas)?.expected = value.as_deref().map(digest);
        Ok(Ok(value))
    }

    async fn drop(&mut self, cas: Resource<HeldCas>) -> Result<()> {
        self.table.delete(cas)?;
        Ok(())
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
