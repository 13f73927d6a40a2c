-- Since when a snapshot lists all usage events of VMs; NULL where it lists none.
ALTER TABLE csb_snapshot ADD COLUMN IF NOT EXISTS
    vm_events_from DATETIME(6) NULL COMMENT 'since when all usage events of VMs are listed';
