import InterprocessSystem

/// What allocators and arenas offer alike; each says in its own words what it means.
extension ArenaHeap {
    func reallocate(_ offset: UInt64, _ size: Int, alignment: Int) throws(ArenaError) -> UInt64 {
        try core.check()
        let block = try memory.allocated(offset)
        guard size >= 0, alignment > 0, alignment.nonzeroBitCount == 1 else { throw .invalidSize }
        // A block that is at least half used stays where it is.
        if size <= block.size, size * 2 >= block.size || block.size <= ArenaUnit.block, offset & UInt64(alignment - 1) == 0 {
            return offset
        }
        let fresh = try allocate(size, alignment: alignment)
        unsafe (memory.base + Int(fresh)).copyMemory(from: memory.base + Int(offset), byteCount: min(size, block.size))
        do throws(ArenaError) { try free(offset) } catch {
            try free(fresh)
            throw error
        }
        return fresh
    }

    /// Whether the block that a link names is allocated.
    func check(_ block: UInt64, namedBy place: UInt64) throws(ArenaError) {
        var fault: ArenaError?
        for _ in 0..<100 {
            do throws(ArenaError) {
                _ = try memory.allocated(block)
                return
            } catch { fault = error }
            // It is free if another has just taken it from there. Perhaps it was even allocated anew since, and published there again: then once more.
            let now = try core.load(place)
            guard now == block else { throw .changed(Offset(rawValue: now)) }
        }
        if let fault { throw fault }
    }

    func allocate(_ size: Int, alignment: Int, into place: UInt64, _ fill: (UnsafeMutableRawBufferPointer) -> Void) throws(ArenaError)
        -> UInt64
    {
        let offset = try allocate(size, alignment: alignment)
        unsafe fill(UnsafeMutableRawBufferPointer(start: memory.base + Int(offset), count: size))
        do throws(ArenaError) { try change(place, from: 0, to: offset) } catch {
            try free(offset)
            throw error
        }
        return offset
    }
}

extension ArenaCore {
    /// The bytes of an allocated block.
    func bytes(_ offset: Offset) throws(ArenaError) -> UnsafeMutableRawBufferPointer {
        try check()
        let block = try memory.allocated(offset.rawValue)
        return unsafe UnsafeMutableRawBufferPointer(start: memory.base + Int(offset.rawValue), count: block.size)
    }

    func pointer<Value>(_ place: TypedOffset<Value>) throws(ArenaError) -> UnsafeMutablePointer<Value> {
        let bytes = try unsafe bytes(place.offset)
        let fault: ArenaError.OffsetFault
        if bytes.count < MemoryLayout<Value>.size {
            fault = .tooSmall
        } else if place.offset.rawValue & UInt64(MemoryLayout<Value>.alignment - 1) != 0 {
            fault = .misaligned
        } else {
            return unsafe bytes.baseAddress!.assumingMemoryBound(to: Value.self)
        }
        throw .invalid(place.offset, fault)
    }

    /// What a link names; 0: nothing.
    func load(_ place: UInt64) throws(ArenaError) -> UInt64 {
        try check()
        guard memory.isLink(place) else { throw .invalid(Offset(place), place % 8 == 0 ? .outside : .misaligned) }
        return memory.load(place)
    }
}
