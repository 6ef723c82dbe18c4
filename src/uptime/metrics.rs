//! `holdfast_uptime_*`. Names have no unit but seconds and bytes: the test of families refuses words such as `hours`.
