//! Image Builder component documents, run as AWSTOE runs them.
