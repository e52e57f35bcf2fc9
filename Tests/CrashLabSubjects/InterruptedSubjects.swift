import CCrashLabSubjects
import CrashLab
import SystemPackage

/// What goes wrong when a process is stopped, interrupted or forked, or a system call fails; each beside one made right.
let interruptedSubjects: [Scenario] =
    [
        leasing("lease.ofTheSlow", "a lock that is taken from a holder that is slow", isWrong: true),
        leasing("lease.ofTheDead", "a lock that is taken from a holder that is dead", isWrong: false),
        lifeOfThread,
        waiting("wait.interrupted", "a wait that ends when it is interrupted", isWrong: true),
        waiting("wait.again", "a wait that goes on when it is interrupted", isWrong: false),
        resizing("fail.locked", "an operation that fails and leaves its lock taken", isWrong: true),
        resizing("fail.unlocked", "an operation that gives its lock back when it fails", isWrong: false),
    ] + fileLock("lock.inherited", "a lock that a forked child holds as well", isWrong: true)
    + fileLock("lock.ofProcess", "a lock of one process", isWrong: false)

/// Whoever adds says so in the ledger: the victim before and after, the survivor, which may not get the lock, after.
private func leasing(_ name: String, _ summary: String, isWrong: Bool) -> Scenario {
    Scenario(name, summary, segments: ["page"]) { site in
        let page = SharedPage(site)
        var added: UInt64 = 0
        func add() -> Bool {
            let isAdded = unsafe subject_lease_add(page.address, isWrong ? 1 : 0) != 0
            added += isAdded ? 1 : 0
            return isAdded
        }
        return Survivor(
            prepare: {
                added = unsafe subject_lease_sum(page.address)
                (site.ledger[0], site.ledger[1]) = (0, 0)
            },
            meanwhile: { _ = add() },
            goOn: {
                try Violation.unless(add(), "the lock of a dead process is not given back")
                let sum = unsafe subject_lease_sum(page.address)
                try Violation.unless(
                    sum == added + site.ledger[0] || sum == added + site.ledger[1], "the sum is \(sum), and \(added) were added by others")
            })
    } victim: { victim in
        let page = SharedPage(victim.site)
        victim.site.ledger[0] = 1
        try victim.step { victim.site.ledger[1] = unsafe UInt64(subject_lease_add(page.address, isWrong ? 1 : 0)) }
    }
}

/// The C library's robust mutex tells of the end of its holder's thread as of a death, while the process lives.
private let lifeOfThread = Scenario(
    "life.ofThread", "a life that ends with a thread", segments: ["page"], stepsIntoCalls: true
) { site in
    let page = SharedPage(site)
    return Survivor(
        prepare: { unsafe subject_mutex_make(page.address) },
        meanwhile: {
            try Violation.unless(unsafe subject_mutex_tells_death(page.address) == 0, "the holder's process lives, and its death was told")
        },
        goOn: { _ = unsafe subject_mutex_tells_death(page.address) })
} victim: { victim in
    let page = SharedPage(victim.site)
    try victim.step {
        unsafe subject_mutex_lock(page.address)
        unsafe subject_mutex_unlock(page.address)
    }
}

/// As a lock of the library is declared.
private func fileLock(_ name: String, _ summary: String, isWrong: Bool) -> [Scenario] {
    Scenario.object(
        name, summary, segments: ["page"], open: { FileLock($0) },
        operation: { lock, _ in unsafe subject_file_lock(lock.path, lock.page.address, isWrong ? 1 : 0) },
        check: { lock, _ in unsafe subject_file_lock(lock.path, lock.page.address, isWrong ? 1 : 0) })
}

@safe
private struct FileLock: ~Copyable {
    let page: SharedPage
    let path: UnsafeMutablePointer<CChar>

    init(_ site: Site) {
        page = SharedPage(site)
        unsafe path = subject_copy(site.path("page").string)
    }
}

private func waiting(_ name: String, _ summary: String, isWrong: Bool) -> Scenario {
    Scenario(name, summary, segments: ["page"], victimWaits: true) { site in
        let page = SharedPage(site)
        return Survivor(rouse: { unsafe subject_count(page.address, 0) }, goOn: {})
    } victim: { victim in
        let page = SharedPage(victim.site)
        let number = unsafe subject_counted(page.address) + 1
        try victim.step {
            unsafe subject_await_count_interrupted(page.address, number, isWrong ? 1 : 0)
            let count = unsafe subject_counted(page.address)
            try Violation.unless(count >= number, "it went on at \(count), and was to wait for \(number)")
        }
    }
}

private func resizing(_ name: String, _ summary: String, isWrong: Bool) -> Scenario {
    var scenario = Scenario(name, summary, segments: ["page"]) { site in
        let page = SharedPage(site)
        return Survivor(goOn: {
            unsafe subject_ownerless_lock(page.address)
            unsafe subject_ownerless_unlock(page.address)
        })
    } victim: { victim in
        let page = SharedPage(victim.site)
        try unsafe victim.site.path("page").string.withCString { path in
            try victim.step {
                let status = unsafe subject_resize(path, page.address, isWrong ? 1 : 0)
                if status != 0 { throw Errno(rawValue: -status) }
            }
        }
    }
    // Of kills this lock is not made to know, and an interruption is a failure to it.
    scenario.excluded = [.kill, .leave, .fork, .interrupt]
    return scenario
}
