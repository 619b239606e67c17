//! Call a device over HTTP and get its answer.
