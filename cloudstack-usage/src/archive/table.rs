//! Rows to a Parquet file and back, by a list of columns.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};
use sha2::{Digest, Sha256};

use super::error::{ArchiveError, ArchiveErrorKind};
use super::manifest::FileEntry;
use crate::store::DocumentDigest;

/// Rows that are compressed together; as many are held in memory.
const ROWS_A_GROUP: usize = 20_000;

/// Decimals take 16 bytes, which hold 38 digits: as many as other programs read.
const DECIMAL_BYTES: i32 = 16;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A text.
    Text,
    /// A text of its own for each row: not worth a dictionary or statistics.
    LongText,
    /// A whole number.
    Whole,
    /// An instant, in microseconds.
    Instant,
    /// A decimal of so many digits, of which so many are after the point.
    Decimal(i32, i32),
}

/// A value of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Value<'a> {
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    /// A whole number, or an instant.
    Whole(i64),
    /// A decimal without its point.
    Decimal(i128),
}

impl<'a> Value<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(super) fn shown(value: impl std::fmt::Display) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }

    pub(super) fn optional<T>(value: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Nothing, make)
    }

    pub(super) fn instant(instant: chrono::DateTime<chrono::Utc>) -> Self {
        Self::Whole(instant.timestamp_micros())
    }
}

/// A column of a table whose rows are `R`.
pub(super) struct Column<R> {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    /// Whether every row has a value.
    pub(super) required: bool,
    pub(super) get: fn(&R) -> Value<'_>,
}

impl<R> Column<R> {
    pub(super) const fn required(
        name: &'static str,
        holds: Holds,
        get: fn(&R) -> Value<'_>,
    ) -> Self {
        Self {
            name,
            holds,
            required: true,
            get,
        }
    }

    pub(super) const fn optional(
        name: &'static str,
        holds: Holds,
        get: fn(&R) -> Value<'_>,
    ) -> Self {
        Self {
            name,
            holds,
            required: false,
            get,
        }
    }

    fn physical(&self) -> Physical {
        match self.holds {
            Holds::Text | Holds::LongText => Physical::BYTE_ARRAY,
            Holds::Whole | Holds::Instant => Physical::INT64,
            Holds::Decimal(..) => Physical::FIXED_LEN_BYTE_ARRAY,
        }
    }

    fn logical(&self) -> Option<LogicalType> {
        match self.holds {
            Holds::Text | Holds::LongText => Some(LogicalType::String),
            Holds::Whole => None,
            Holds::Instant => Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            Holds::Decimal(precision, scale) => Some(LogicalType::decimal(scale, precision)),
        }
    }

    fn parquet(&self) -> Result<Type, ParquetError> {
        let mut builder = Type::primitive_type_builder(self.name, self.physical())
            .with_repetition(if self.required {
                Repetition::REQUIRED
            } else {
                Repetition::OPTIONAL
            })
            .with_logical_type(self.logical());
        if let Holds::Decimal(precision, scale) = self.holds {
            builder = builder
                .with_length(DECIMAL_BYTES)
                .with_precision(precision)
                .with_scale(scale);
        }
        builder.build()
    }
}

/// A table: what is in its rows, and how they come back.
pub(super) struct Table<R: 'static> {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column<R>],
    /// Makes a row of its values, or says why not.
    pub(super) make: fn(&Fields<'_>) -> Result<R, String>,
}

/// The values of a row by the names of their columns.
pub(super) struct Fields<'a> {
    names: &'a [&'static str],
    values: &'a [Value<'static>],
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&Value<'static>> {
        let at = self.names.iter().position(|known| *known == name)?;
        self.values.get(at)
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        match self.get(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(format!("column {name} has no text")),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<u32, String> {
        let number = match self.get(name) {
            Some(Value::Whole(number)) => u32::try_from(*number).ok(),
            _ => None,
        };
        number.ok_or_else(|| format!("column {name} has no number"))
    }

    pub(super) fn optional_instant(
        &self,
        name: &str,
    ) -> Result<Option<chrono::DateTime<chrono::Utc>>, String> {
        match self.get(name) {
            Some(Value::Nothing) => Ok(None),
            Some(Value::Whole(micros)) => chrono::DateTime::from_timestamp_micros(*micros)
                .map(Some)
                .ok_or_else(|| format!("column {name} has no instant")),
            _ => Err(format!("column {name} has no instant")),
        }
    }

    pub(super) fn instant(&self, name: &str) -> Result<chrono::DateTime<chrono::Utc>, String> {
        self.optional_instant(name)?
            .ok_or_else(|| format!("column {name} has no instant"))
    }
}

/// Counts and hashes what goes through it.
struct Hashing {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hash.update(buffer.get(..written).unwrap_or(buffer));
        self.bytes += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes a table into a file, a group of rows at a time.
pub(super) struct TableWriter<R: 'static> {
    table: &'static Table<R>,
    path: PathBuf,
    writer: SerializedFileWriter<Hashing>,
    group: Vec<R>,
    rows: u64,
}

impl<R> TableWriter<R> {
    /// Begins the file of the table in `folder`.
    pub(super) fn create(table: &'static Table<R>, folder: &Path) -> Result<Self, ArchiveError> {
        let path = folder.join(table.name);
        let file = File::create_new(&path).map_err(|error| ArchiveError::file(&path, error))?;
        let failed = |error| cannot_write(&path, &error);
        let hashing = Hashing {
            file: BufWriter::new(file),
            hash: Sha256::new(),
            bytes: 0,
        };
        let schema = schema(table.columns).map_err(failed)?;
        let writer = SerializedFileWriter::new(hashing, schema, properties(table.columns))
            .map_err(|error| cannot_write(&path, &error))?;
        Ok(Self {
            table,
            path,
            writer,
            group: Vec::new(),
            rows: 0,
        })
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: R) -> Result<(), ArchiveError> {
        self.group.push(row);
        self.rows += 1;
        if self.group.len() >= ROWS_A_GROUP {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ArchiveError> {
        if self.group.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.group);
        let written = self.writer.next_row_group().and_then(|mut group| {
            for column in self.table.columns {
                write_column(&mut group, column, &rows)?;
            }
            group.close()
        });
        written
            .map(drop)
            .map_err(|error| cannot_write(&self.path, &error))
    }

    /// Ends the file: it is on the disk then.
    pub(super) fn finish(mut self) -> Result<FileEntry, ArchiveError> {
        self.write_group()?;
        let hashing = self
            .writer
            .into_inner()
            .map_err(|error| cannot_write(&self.path, &error))?;
        let failed = |error: std::io::Error| ArchiveError::file(&self.path, error);
        let file = hashing
            .file
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        Ok(FileEntry {
            name: self.table.name.to_owned(),
            rows: self.rows,
            bytes: hashing.bytes,
            sha256: DocumentDigest::from_bytes(hashing.hash.finalize().into()),
        })
    }
}

fn cannot_write(path: &Path, error: &ParquetError) -> ArchiveError {
    let message = format!("{} cannot be written: {error}", path.display());
    ArchiveError::new(ArchiveErrorKind::Files, message)
}

fn schema<R>(columns: &[Column<R>]) -> Result<Arc<Type>, ParquetError> {
    let fields = columns.iter().map(|column| column.parquet().map(Arc::new));
    let fields: Vec<Arc<Type>> = fields.collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("schema")
        .with_fields(fields)
        .build()?;
    Ok(Arc::new(schema))
}

fn properties<R>(columns: &[Column<R>]) -> Arc<WriterProperties> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("cloudstack-usage ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::GZIP(GzipLevel::default()));
    for column in columns.iter().filter(|one| one.holds == Holds::LongText) {
        let path = ColumnPath::from(column.name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    Arc::new(properties.build())
}

fn write_column<R>(
    group: &mut SerializedRowGroupWriter<'_, Hashing>,
    column: &Column<R>,
    rows: &[R],
) -> Result<(), ParquetError> {
    let mut texts: Vec<ByteArray> = Vec::new();
    let mut wholes: Vec<i64> = Vec::new();
    let mut decimals: Vec<FixedLenByteArray> = Vec::new();
    let mut levels: Vec<i16> = Vec::with_capacity(rows.len());
    for row in rows {
        levels.push(1);
        match (column.get)(row) {
            Value::Text(text) => texts.push(text.into_owned().into_bytes().into()),
            Value::Whole(number) => wholes.push(number),
            Value::Decimal(number) => decimals.push(number.to_be_bytes().to_vec().into()),
            Value::Nothing => {
                if let Some(level) = levels.last_mut() {
                    *level = 0;
                }
            }
        }
    }
    let levels = (!column.required).then_some(levels.as_slice());
    let Some(mut writer) = group.next_column()? else {
        return Err(ParquetError::General("a column too many".to_owned()));
    };
    match column.physical() {
        Physical::BYTE_ARRAY => {
            let writer = writer.typed::<ByteArrayType>();
            writer.write_batch(&texts, levels, None)?;
        }
        Physical::INT64 => {
            let writer = writer.typed::<Int64Type>();
            writer.write_batch(&wholes, levels, None)?;
        }
        _ => {
            let writer = writer.typed::<FixedLenByteArrayType>();
            writer.write_batch(&decimals, levels, None)?;
        }
    }
    writer.close()
}

/// Reads a table from a file, a group of rows at a time.
pub(super) struct TableReader<R: 'static> {
    table: &'static Table<R>,
    path: PathBuf,
    names: Vec<&'static str>,
    file: SerializedFileReader<File>,
    next_group: usize,
    group: std::vec::IntoIter<Vec<Value<'static>>>,
    row: u64,
}

impl<R> TableReader<R> {
    /// Opens the file of the table in `folder`.
    pub(super) fn open(table: &'static Table<R>, folder: &Path) -> Result<Self, ArchiveError> {
        let path = folder.join(table.name);
        let file = File::open(&path).map_err(|error| ArchiveError::file(&path, error))?;
        let file =
            SerializedFileReader::new(file).map_err(|error| ArchiveError::damaged(&path, error))?;
        let reader = Self {
            table,
            path,
            names: table.columns.iter().map(|column| column.name).collect(),
            file,
            next_group: 0,
            group: Vec::new().into_iter(),
            row: 0,
        };
        reader.check_schema()?;
        Ok(reader)
    }

    fn check_schema(&self) -> Result<(), ArchiveError> {
        let found = self.file.metadata().file_metadata().schema_descr();
        let mut wrong = (found.num_columns() != self.table.columns.len())
            .then(|| format!("it has {} columns", found.num_columns()));
        for (column, found) in self.table.columns.iter().zip(found.columns()) {
            let same = found.name() == column.name
                && found.physical_type() == column.physical()
                && found.logical_type_ref() == column.logical().as_ref()
                && found.self_type().is_optional() != column.required;
            if !same {
                wrong.get_or_insert(format!(
                    "its column {} is not {}",
                    found.name(),
                    column.name
                ));
            }
        }
        wrong.map_or(Ok(()), |wrong| {
            Err(ArchiveError::damaged(&self.path, wrong))
        })
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<R>, ArchiveError> {
        while self.group.as_slice().is_empty() {
            if self.next_group >= self.file.num_row_groups() {
                return Ok(None);
            }
            let rows = self.read_group(self.next_group);
            let rows = rows.map_err(|error| ArchiveError::damaged(&self.path, error))?;
            self.next_group += 1;
            self.group = rows.into_iter();
        }
        let Some(values) = self.group.next() else {
            return Ok(None);
        };
        self.row += 1;
        let row = self.checked(&values);
        row.map(Some).map_err(|why| {
            let why = format!("row {}: {why}", self.row);
            ArchiveError::damaged(&self.path, why)
        })
    }

    /// The row of these values, where each column is what the row says.
    fn checked(&self, values: &[Value<'static>]) -> Result<R, String> {
        let fields = Fields {
            names: &self.names,
            values,
        };
        let row = (self.table.make)(&fields)?;
        for (column, value) in self.table.columns.iter().zip(values) {
            if (column.get)(&row) != *value {
                return Err(format!("column {} is not that of its record", column.name));
            }
        }
        Ok(row)
    }

    fn read_group(&self, number: usize) -> Result<Vec<Vec<Value<'static>>>, ParquetError> {
        let group = self.file.get_row_group(number)?;
        let number = usize::try_from(group.metadata().num_rows())?;
        let mut rows: Vec<Vec<Value<'static>>> = Vec::new();
        rows.resize_with(number, || Vec::with_capacity(self.table.columns.len()));
        for (at, column) in self.table.columns.iter().enumerate() {
            let values = read_column(group.get_column_reader(at)?, column.required, number)?;
            if values.len() != number {
                let message = format!("column {} is shorter than others", column.name);
                return Err(ParquetError::General(message));
            }
            for (row, value) in rows.iter_mut().zip(values) {
                row.push(value);
            }
        }
        Ok(rows)
    }
}

fn read_column(
    reader: ColumnReader,
    required: bool,
    number: usize,
) -> Result<Vec<Value<'static>>, ParquetError> {
    match reader {
        ColumnReader::ByteArrayColumnReader(reader) => {
            values_of(reader, required, number, |bytes: ByteArray| {
                let text = bytes.as_utf8()?.to_owned();
                Ok(Value::Text(Cow::Owned(text)))
            })
        }
        ColumnReader::Int64ColumnReader(reader) => {
            values_of(reader, required, number, |number| Ok(Value::Whole(number)))
        }
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            values_of(reader, required, number, |bytes: FixedLenByteArray| {
                let bytes = <[u8; 16]>::try_from(bytes.data());
                let bytes = bytes.map_err(|error| ParquetError::General(error.to_string()))?;
                Ok(Value::Decimal(i128::from_be_bytes(bytes)))
            })
        }
        _ => Err(ParquetError::General("a column of another type".to_owned())),
    }
}

fn values_of<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    required: bool,
    number: usize,
    make: impl Fn(T::T) -> Result<Value<'static>, ParquetError>,
) -> Result<Vec<Value<'static>>, ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let (read, _, _) = reader.read_records(number, Some(&mut levels), None, &mut values)?;
    let mut values = values.into_iter().map(make);
    if required {
        return values.collect();
    }
    let missing = || ParquetError::General("a value is missing".to_owned());
    levels
        .into_iter()
        .take(read)
        .map(|level| match level {
            0 => Ok(Value::Nothing),
            _ => values.next().unwrap_or_else(|| Err(missing())),
        })
        .collect()
}
