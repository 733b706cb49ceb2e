//! Wire formats to batches. Each format borrows from the decoded body; labels are decoded only for series nobody has
//! seen. Knows neither HTTP nor the database.

pub mod proto;
pub mod remote_write_v1;
pub mod series_labels;
pub mod snappy;
