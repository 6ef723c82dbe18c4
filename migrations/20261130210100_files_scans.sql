-- What the virus scanner found something in: few, and shown to administrators.
CREATE INDEX files_objects_infected_idx ON files_objects (org_id, id) WHERE scan = 'infected';
