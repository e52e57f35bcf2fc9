import InterprocessSystem

/// A queue that drops the oldest message when it is full.
extension SharedQueueCore {
    /// Takes the slot of the oldest message of the lowest priority. Counted exactly, whoever is killed: see decision record 0007.
    func dropOldest() throws(QueueDamage) -> Loan? {
        try dropping.withLock { (_) throws(QueueDamage) -> Loan? in try dropOldest(words.drops(me.slot)) }
    }

    private func dropOldest(_ record: MessageDrops) throws(QueueDamage) -> Loan? {
        for priority in 0..<shape.priorities {
            let ring = ring(priority)
            let loan = try ring.first { entry, ticket -> Loan? in
                guard entry.slot < slots.count else { return nil }
                let seen = slots.current(entry.slot)
                guard seen.isFilling, seen.generation & 0xffff == entry.generation else { return nil }
                let mine = seen.filling(by: me, dropping: true)
                let count = record.oldest.loadRelaxed() &+ 1
                record.intent.storeRelease(MessageDrops.Intent(slot: entry.slot, generation: mine.generation, count: count).word)
                fullFence()
                guard ring.stands(entry, at: ticket), slots.change(entry.slot, seen, mine) else { return nil }
                record.oldest.storeRelease(count)
                record.intent.storeRelease(0)
                return unsafe Loan(slot: entry.slot, state: mine, bytes: words.bytes(entry.slot))
            }
            if let loan { return loan }
        }
        record.intent.storeRelease(0)
        return nil
    }
}
