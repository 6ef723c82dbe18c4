//! The console's first page: monitors that are down, the next window, the certificate that ends first; steps for a new appliance.
