//! netsuite
