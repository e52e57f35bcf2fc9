import CCrashLabSubjects
import CrashLab
import SystemPackage

/// Memory that the processes of a site share, as C sees it.
@safe
struct SharedPage: @unchecked Sendable {
    let address: UnsafeMutableRawPointer
    init(_ site: Site) { unsafe address = subject_map(site.path("page").string) }
}

/// What the C library does wrong.
let librarySubjects: [Scenario] = [
    // Unlocking stores and then wakes. Whoever takes the lock between the two writes its own word, so that the kernel, which looks at the word when the unlocker dies, wakes nobody;
    // and its own unlocking knows of no sleeper.
    Scenario(
        "glibc.robustMutex", "killed in unlock, with a sleeper and a third that takes the lock", segments: ["page"], stepsIntoCalls: true
    ) { site in
        let page = SharedPage(site)
        return Survivor(
            prepare: { unsafe subject_mutex_make(page.address) },
            goOn: {
                try check(unsafe subject_mutex_lock(page.address), "locking")
                try check(unsafe subject_mutex_unlock(page.address), "unlocking")
            })
    } victim: { victim in
        let page = SharedPage(victim.site)
        unsafe subject_mutex_lock(page.address)
        try victim.step { unsafe subject_mutex_unlock(page.address) }
    } sleepers: { sleeper in
        let page = SharedPage(sleeper.site)
        sleeper.willSleep()
        try check(unsafe subject_mutex_lock(page.address), "locking")
        try check(unsafe subject_mutex_unlock(page.address), "unlocking")
    } third: { third in
        let page = SharedPage(third.site)
        let isMine = unsafe subject_mutex_try(page.address) == 0
        third.awaitKill()
        if isMine { try check(unsafe subject_mutex_unlock(page.address), "unlocking") }
    },
    // A killed sleeper stays in the count of its group, for which a later broadcast waits.
    Scenario("glibc.condition", "killed asleep at a condition variable", segments: ["page"], victimWaits: true) { site in
        let page = SharedPage(site)
        return Survivor(
            prepare: { unsafe subject_mutex_make(page.address) },
            rouse: { unsafe subject_condition_rounds(page.address, 1) },
            goOn: { unsafe subject_condition_rounds(page.address, 4) })
    } victim: { victim in
        let page = SharedPage(victim.site)
        try victim.step { unsafe subject_condition_wait(page.address) }
    },
]

private func check(_ status: Int32, _ what: String) throws {
    try Violation.unless(status == 0, "\(what): \(Errno(rawValue: status))")
}
