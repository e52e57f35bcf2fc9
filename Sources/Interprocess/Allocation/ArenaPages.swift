import InterprocessSystem
import SystemPackage

/// Pages of an arena: finding, claiming and growing; in the name of one heap.
///
/// **Source** LLFree (L. Wrenger, F. Rommel, A. Halbuer, C. Dietrich, D. Lohmann, USENIX ATC '23): words of their own are the truth about each page, and whatever helps to find a free one may
/// be wrong. What differs: there is no tree above them; each heap goes on where it last found one, and before the arena grows, which it does by a sixteenth, all words are looked at.
struct ArenaPages: Sendable {
    let hold: ArenaHold
    let file: SegmentFile
    /// For the threads of this process: they share the file's lock.
    private let trimming: TrimLock
    private var memory: ArenaMemory { hold.memory }

    init(_ hold: ArenaHold, _ core: ArenaCore) {
        self.hold = hold
        file = core.segment.file
        trimming = core.trimming
    }

    /// Claims `count` free pages in a row as further pages of a run that is not there yet, the first at a multiple of `alignment` pages. Looks from `start` on, and then from the beginning.
    /// Nil if there are none. O(pages).
    func claim(_ count: Int, alignment: Int, from start: Int) throws(ArenaError) -> Int? {
        let grown = memory.grown
        let start = min(max(0, start), grown)
        guard
            let first = claim(count, alignment, in: start..<grown) ?? claim(count, alignment, in: 0..<min(grown, start + count + alignment))
        else { return nil }
        try fill(first, count)
        return first
    }

    private func claim(_ count: Int, _ alignment: Int, in range: Range<Int>) -> Int? {
        var first = ArenaUnit.roundUp(range.lowerBound, alignment)
        while first + count <= range.upperBound {
            var free = 0
            while free < count, memory.page(first + free).isFree { free += 1 }
            if free == count {
                free = claimAll(first, count)
                if free == count { return first }
            }
            first = ArenaUnit.roundUp(first + free + 1, alignment)
        }
        return nil
    }

    /// Returns how many of these pages could be claimed; if not all, none is.
    private func claimAll(_ first: Int, _ count: Int) -> Int {
        for distance in 0..<count {
            let seen = memory.page(first + distance)
            let mine = PageWord(.tail, owner: hold.index, wasPunched: seen.kind == .punched, count: distance)
            guard seen.isFree, memory.pageWord(first + distance).compareExchange(seen.raw, mine.raw) else {
                undo(first, distance)
                return distance
            }
        }
        return count
    }

    /// Gives claimed pages back.
    func undo(_ first: Int, _ count: Int) {
        for page in first..<first + count { hold.undo(page, memory.page(page)) }
    }

    /// Sees to it that claimed pages have memory.
    private func fill(_ first: Int, _ count: Int) throws(ArenaError) {
        var page = first
        while page < first + count {
            var end = page
            while end < first + count, memory.page(end).wasPunched { end += 1 }
            if end > page {
                do throws(Errno) {
                    try file.descriptor.reserve((end - page) * ArenaUnit.page, from: Int(memory.offset(ofPage: page)))
                } catch {
                    undo(first, count)
                    throw Self.failure(error)
                }
            }
            page = max(end, page + 1)
        }
    }

    static func failure(_ error: Errno) -> ArenaError {
        switch error {
        case .noSpace, .diskQuotaExceeded, .fileTooLarge, .noMemory: .noSpace
        default: .system(error)
        }
    }

    /// Makes the arena larger, so that `count` more pages in a row are there, by a sixteenth of what it has if that is more. False if its limit does not allow that.
    ///
    /// **Death** before `grown` changes: memory is reserved that nobody uses before somebody grows as far. Two who do it at once reserve the same.
    func grow(_ count: Int) throws(ArenaError) -> Bool {
        let grown = memory.grown
        // Those that are free at its end count.
        var tail = 0
        while tail < count - 1, tail < grown, memory.page(grown - 1 - tail).isFree { tail += 1 }
        let missing = count - tail
        guard missing <= memory.limit - grown else { return false }
        let wanted = max(ArenaUnit.roundUp(missing, ArenaUnit.growth), min(grown / 16, 4096))
        do {
            try reserve(grown, min(memory.limit, ArenaUnit.roundUp(grown + wanted, ArenaUnit.growth)))
        } catch {
            guard case .noSpace = error, wanted > missing else { throw error }
            try reserve(grown, grown + missing)
        }
        return true
    }

    private func reserve(_ grown: Int, _ target: Int) throws(ArenaError) {
        do throws(Errno) {
            try file.descriptor.reserve((target - grown) * 8, from: memory.wordsOffset + grown * 8)
            try file.descriptor.reserve(
                (target - grown) * ArenaUnit.slabStride, from: memory.slabsOffset + grown * ArenaUnit.slabStride)
            try file.descriptor.reserve((target - grown) * ArenaUnit.page, from: Int(memory.offset(ofPage: grown)))
        } catch {
            throw Self.failure(error)
        }
        let word = memory.grownWord
        for _ in 0..<1000 {
            let seen = word.loadAcquire()
            if seen >= UInt64(target) || word.compareExchange(seen, UInt64(target)) { return }
        }
    }

    /// Gives the memory of all free pages back to the system. Returns the bytes; 0 also if another process is just at it. O(pages).
    ///
    /// **Death** a killed process's thread may be in the kernel and take memory away after its death was announced and its heap recovered. So its pages stay as they are until the lock is
    /// free that it had: an open file description's, which the kernel gives back when the last call that uses the file has ended.
    func trim() throws(ArenaError) -> Int {
        try alone { () throws(ArenaError) in
            _ = settleAlone()
            return try punch()
        } ?? 0
    }

    /// Makes pages usable whose memory a dead process was taking away. Whether there were any. O(pages).
    func settle() -> Bool {
        guard (0..<memory.grown).contains(where: { memory.page($0) == PageWord(.punching) }) else { return false }
        return (try? alone { () throws(ArenaError) in settleAlone() }) ?? false
    }

    private func settleAlone() -> Bool {
        var hasAny = false
        let left = PageWord(.punching)
        for page in 0..<memory.grown where memory.page(page) == left {
            if memory.pageWord(page).compareExchange(left.raw, PageWord(.punched).raw) { hasAny = true }
        }
        return hasAny
    }

    /// Calls `body` if nobody else is at it, in this process or another.
    private func alone<R>(_ body: () throws(ArenaError) -> R) throws(ArenaError) -> R? {
        try trimming.lock.withLock { (_) throws(ArenaError) -> R? in
            let descriptor = file.descriptor
            guard (try? FileLock.tryLock(descriptor, .exclusive, byte: Self.trimLock)) == true else { return nil }
            defer { try? FileLock.unlock(descriptor, byte: Self.trimLock) }
            return try body()
        }
    }

    /// The byte whose lock it is; far behind the end of any segment.
    private static let trimLock: Int64 = 1 << 61

    private func punch() throws(ArenaError) -> Int {
        var bytes = 0
        var page = 0
        let grown = memory.grown
        let mine = PageWord(.punching, owner: hold.index)
        while page < grown {
            var end = page
            while end < grown, memory.pageWord(end).compareExchange(0, mine.raw) { end += 1 }
            if end > page {
                var failure: ArenaError?
                do throws(Errno) {
                    try file.descriptor.release((end - page) * ArenaUnit.page, from: Int(memory.offset(ofPage: page)))
                    bytes += (end - page) * ArenaUnit.page
                } catch { failure = .system(error) }
                // Also after a failure: some of it may be gone.
                for page in page..<end { _ = memory.pageWord(page).compareExchange(mine.raw, PageWord(.punched).raw) }
                if let failure { throw failure }
            }
            page = max(end, page + 1)
        }
        return bytes
    }
}

/// Held by the thread of this process that gives memory back.
final class TrimLock: Sendable {
    let lock = Lock<Void>(())
}
