import InterprocessSystem

extension LatestValue {
    /// The newest value. Never blocks. O(size of the value): one copy, and no system call; begun anew if it is overtaken.
    ///
    /// - Throws: ``WaitError`` `impossible` if it was overtaken for 5 s; `detached`, `damaged`.
    @inlinable
    public func load() throws(WaitError) -> Value { try loadVersioned().value }

    /// The newest value and its number; as ``load()``.
    @inlinable
    public func loadVersioned() throws(WaitError) -> Version {
        var overtaking = Overtaking()
        while true {
            let seen = words.current.loadAcquire()
            let number = LatestWords.number(seen)
            let stamp = words.stamp(number).loadAcquire()
            // It may be half written, and is not looked at before that is known.
            let value = unsafe words.value(number).load(as: Value.self)
            if words.isWhole(seen, stampedAsBefore: stamp) { return Version(value, stamp >> 1) }
            try wasOvertaken(seen, &overtaking)
        }
    }

    /// Copies the newest value to `memory`, which is initialized by that, and returns its number; as ``load()``. For values that are too large for the stack.
    ///
    /// If it throws, `memory` is not initialized: parts of several values may stand there.
    @unsafe @inlinable
    public func load(into memory: UnsafeMutablePointer<Value>) throws(WaitError) -> UInt64 {
        var overtaking = Overtaking()
        while true {
            let seen = words.current.loadAcquire()
            let number = LatestWords.number(seen)
            let stamp = words.stamp(number).loadAcquire()
            unsafe UnsafeMutableRawPointer(memory).copyMemory(from: words.value(number), byteCount: MemoryLayout<Value>.size)
            if words.isWhole(seen, stampedAsBefore: stamp) { return stamp >> 1 }
            try wasOvertaken(seen, &overtaking)
        }
    }

    /// The number of the newest value: how many were stored so far. Never blocks. O(1).
    ///
    /// - Throws: ``WaitError`` as ``load()``.
    public var sequence: UInt64 {
        get throws(WaitError) {
            var overtaking = Overtaking()
            while true {
                let seen = words.current.loadAcquire()
                let stamp = words.stamp(LatestWords.number(seen)).loadAcquire()
                if LatestWords.isWhole(stamp, newestIn: seen) { return stamp >> 1 }
                try wasOvertaken(seen, &overtaking)
            }
        }
    }

    /// Returns if it is to be tried again.
    @usableFromInline
    func wasOvertaken(_ seen: UInt32, _ overtaking: inout Overtaking) throws(WaitError) {
        try checkOvertaken(seen)
        if overtaking.isTooMuch() {
            throw .impossible(
                "values are stored faster than this process can copy one, for 5 s by now: store less often, or smaller values")
        }
        Processor.pause()
    }

    /// Throws unless values were stored since `current` was `seen`: the stamp that was found there can be no other one's then.
    func checkOvertaken(_ seen: UInt32) throws(WaitError) {
        guard ClaimWord.isOpen(seen) else { throw failure("current") }
        guard LatestWords.number(words.current.loadAcquire()) != LatestWords.number(seen) else { throw failure("stamp") }
    }
}
