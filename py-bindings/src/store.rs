//! Stores that a sync has filled.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cloudstack_usage::store::{StoreError, StoreErrorKind, UsageQuery, UsageStore};
use cloudstack_usage::{Period, Secret, UsageRecord};
use cloudstack_usage_store::StoreLocation;
use pyo3::prelude::*;
use rating_engine::{PriceBook, Rating};

use crate::bill::PyBill;
use crate::book::PyPriceBook;
use crate::failure::Failure;
use crate::inventory::PyInventory;
use crate::period::PyPeriod;
use crate::rate;
use crate::signals;
use crate::totals::PyTotals;
use crate::usage::{Batch, PyUsage};

/// A store behind its port, whichever it is.
type AnyStore = Box<dyn UsageStore + Send>;

/// A database that a sync has filled, opened for reading.
#[pyclass(name = "Store", module = "cloudstack_billing._native", frozen)]
pub(crate) struct PyStore {
    /// The file, or the server's URL without the password.
    path: PathBuf,
    /// The process that opened it: no handle or connection may be used in a fork.
    process: u32,
    store: Mutex<Option<AnyStore>>,
}

impl std::fmt::Debug for PyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PyStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl PyStore {
    /// Calls `work` with the interpreter released and the store locked.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        cloud: &str,
        work: impl FnOnce(&mut dyn UsageStore) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        if std::process::id() != self.process {
            return Err(Failure::Forked(self.path.clone()));
        }
        py.detach(|| {
            let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
            let store = guard.as_mut().ok_or_else(|| closed(&self.path))?;
            let clouds = store.clouds()?;
            if clouds.iter().any(|known| known == cloud) {
                work(&mut **store)
            } else {
                Err(Failure::UnknownCloud {
                    path: self.path.clone(),
                    cloud: cloud.to_owned(),
                    clouds,
                })
            }
        })
    }
}

#[pymethods]
impl PyStore {
    /// Opens a database for reading. In a process that forks, open it after the fork.
    #[staticmethod]
    #[pyo3(signature = (path, *, password = None))]
    fn open(py: Python<'_>, path: PathBuf, password: Option<String>) -> Result<Self, Failure> {
        let location = match path.to_str() {
            Some(text) => StoreLocation::parse(text)
                .map_err(|error| StoreError::new(StoreErrorKind::Invalid, error.to_string()))?
                .with_password(password.map(Secret::new)),
            None => StoreLocation::File(path),
        };
        let store = py.detach(|| {
            if let StoreLocation::File(path) = &location {
                // SQLite's own words for a missing file do not say that it is missing
                std::fs::metadata(path).map_err(|cause| Failure::file(path.clone(), cause))?;
            }
            Ok::<_, Failure>(location.open_read_only()?)
        })?;
        Ok(Self {
            path: PathBuf::from(location.to_string()),
            process: std::process::id(),
            store: Mutex::new(Some(store)),
        })
    }

    /// Closes the database. Further calls raise `StoreError`.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.take()));
    }

    /// The usage records whose windows touch the period.
    #[pyo3(signature = (period, *, cloud = "cloudstack"))]
    fn usage(&self, py: Python<'_>, period: &PyPeriod, cloud: &str) -> Result<PyUsage, Failure> {
        let period = period.0;
        let batch = self.with(py, cloud, |store| {
            let mut batch = Batch::default();
            read(store, cloud, period, &mut |record| {
                batch.records.push(record);
            })?;
            let stored = store.rejections(cloud, period)?;
            batch.rejections = stored.into_iter().map(|stored| stored.rejection).collect();
            Ok(batch)
        })?;
        Ok(batch.into_usage())
    }

    /// What all syncs saw, with the labels in force.
    #[pyo3(signature = (*, cloud = "cloudstack"))]
    fn inventory(&self, py: Python<'_>, cloud: &str) -> Result<PyInventory, Failure> {
        self.with(py, cloud, |store| {
            let mut syncs = Vec::new();
            store.snapshots(cloud, None, &mut |snapshot| {
                syncs.push(snapshot.clone());
                Ok(())
            })?;
            Ok(PyInventory::new(syncs, store.labels(cloud, None)?))
        })
    }

    /// Rates the usage of a period with a price book, record by record.
    #[pyo3(signature = (book, period, *, cloud = "cloudstack"))]
    fn rate(
        &self,
        py: Python<'_>,
        book: &PyPriceBook,
        period: &PyPeriod,
        cloud: &str,
    ) -> Result<PyBill, Failure> {
        let (book, period) = (&book.0, period.0);
        let bill = self.with(py, cloud, |store| {
            rate_store(store, cloud, book, period, rate::to_bill)
        })?;
        Ok(PyBill(Arc::new(bill)))
    }

    /// The exact sums of what a period costs, without statements and findings.
    #[pyo3(signature = (book, period, *, cloud = "cloudstack"))]
    fn totals(
        &self,
        py: Python<'_>,
        book: &PyPriceBook,
        period: &PyPeriod,
        cloud: &str,
    ) -> Result<PyTotals, Failure> {
        let (book, period) = (&book.0, period.0);
        let totals = self.with(py, cloud, |store| {
            rate_store(store, cloud, book, period, rate::to_totals)
        })?;
        Ok(PyTotals(Arc::new(totals)))
    }

    fn __enter__(store: PyRef<'_, Self>) -> PyRef<'_, Self> {
        store
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        format!("<Store {}>", self.path.display())
    }
}

impl PyStore {
    fn take(&self) -> Option<AnyStore> {
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        guard.take()
    }
}

impl Drop for PyStore {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            // closing it here would drop the locks of the process that opened it
            std::mem::forget(self.take());
        }
    }
}

fn closed(path: &Path) -> StoreError {
    let message = format!("{} was closed; open it again", path.display());
    StoreError::new(StoreErrorKind::Unavailable, message)
}

/// Gives all usage of a period to a rating, which `finish` ends.
fn rate_store<T>(
    store: &mut dyn UsageStore,
    cloud: &str,
    book: &PriceBook,
    period: Period,
    finish: impl FnOnce(Rating<'_>) -> T,
) -> Result<T, Failure> {
    let mut builder = rate::builder(book);
    store.snapshots(cloud, None, &mut |snapshot| {
        builder.observe(snapshot);
        Ok(())
    })?;
    builder.labels(store.labels(cloud, None)?);
    builder.usage(store.lifetimes(cloud, None)?);
    let inventory = builder.build();

    let mut rating = Rating::new(book, &inventory, period)?;
    let range = Rating::input_range(period);
    read(store, cloud, range, &mut |record| rating.push(&record))?;
    for stored in store.rejections(cloud, range)? {
        rating.reject(&stored.rejection);
    }
    Ok(finish(rating))
}

/// Hands over records one by one, looking for signals now and then.
fn read(
    store: &mut dyn UsageStore,
    cloud: &str,
    period: Period,
    take: &mut dyn FnMut(UsageRecord),
) -> Result<(), StoreError> {
    let mut count = 0_usize;
    store.usage(&UsageQuery::new(cloud, period), &mut |record| {
        take(record);
        count += 1;
        if count.is_multiple_of(signals::RECORDS) {
            signals::check().map_err(|raised| {
                StoreError::new(StoreErrorKind::Sink, "interrupted").with_source(raised)
            })?;
        }
        Ok(())
    })
}
