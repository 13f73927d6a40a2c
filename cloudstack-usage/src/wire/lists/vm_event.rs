//! Rows of `usage_event`, of which those of VMs alone are read.

use crate::metadata::{VmAction, VmEvent};
use crate::record::Holder;
use crate::wire::entry::{Entry, EntryError, missing};

/// A usage event that says whether a VM ran; none for another one.
///
/// Source: `UsageManagerImpl.createVMHelperEvent`, which makes running time of these.
pub(in crate::wire) fn vm_event(entry: &Entry<'_>) -> Result<Option<VmEvent>, EntryError> {
    let action = match entry.required_text("type")?.as_str() {
        "VM.CREATE" => VmAction::Create,
        "VM.START" => VmAction::Start,
        "VM.STOP" => VmAction::Stop,
        "VM.DYNAMIC.SCALE" => VmAction::Scale,
        "VM.DESTROY" => VmAction::Destroy,
        _ => return Ok(None),
    };
    let holder = match (entry.id("projectid")?, entry.id("accountid")?) {
        (Some(project), _) => Holder::Project(project),
        (None, Some(account)) => Holder::Account(account),
        (None, None) => Holder::Unknown,
    };
    Ok(Some(VmEvent {
        at: entry.required_date("created")?,
        id: entry.number("id")?.ok_or_else(|| missing("id"))?,
        vm: entry.required_id("virtualmachineid")?,
        action,
        holder,
        offering: entry.id("serviceofferingid")?,
        cpu_count: entry.positive("cpunumber")?,
        memory_mib: entry.positive("memory")?,
    }))
}
