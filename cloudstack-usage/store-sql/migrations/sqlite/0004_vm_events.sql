-- Since when a snapshot lists all usage events of VMs; NULL where it lists none.
ALTER TABLE csb_snapshot ADD COLUMN vm_events_from INTEGER;
