-- The renderer of status pages asks each second when anything of incidents was changed last: by an index, however long the history is.

CREATE INDEX incidents_updated_idx ON incidents (updated_at);
CREATE INDEX incident_updates_updated_idx ON incident_updates (updated_at);
CREATE INDEX incident_components_updated_idx ON incident_components (updated_at);
