import InterprocessSystem

extension ArenaMemory {
    /// Calls `body` with all records of a bucket, and helps nobody. False: the list does not come to an end. O(records of the bucket).
    func lookAtRecords(inBucket index: Int, _ body: (ArenaRecord) -> Void) -> Bool {
        do throws(ArenaError) {
            _ = try firstRecord(inBucket: index, load: { ArenaLinkWord.offset(word64(Int($0)).loadAcquire()) }) { record -> Void? in
                body(record)
                return nil
            }
            return true
        } catch { return false }
    }
}

extension ArenaProblem {
    /// What cannot be among the named objects; the index is that of the bucket. What a constructor or who names an object leaves when it dies is no problem: whoever comes next takes it over.
    static func names(_ memory: ArenaMemory) -> [ArenaProblem] {
        var found: [ArenaProblem] = []
        for bucket in 0..<ArenaUnit.buckets {
            func report(_ field: String, _ reason: String) { found.append(ArenaProblem(field: field, index: bucket, reason: reason)) }
            var names = Set<[UInt8]>()
            let isWhole = memory.lookAtRecords(inBucket: bucket) { record in
                if !ClaimWord.isOpen(record.claim.loadAcquire()) { report("claim", "of nobody") }
                let word = record.object.loadAcquire()
                let heap = memory.heap(ArenaLinkWord.heap(word))
                if ArenaLinkWord.isPending(word), heap.claim.loadAcquire() == 0 { report("object", "being changed by nobody") }
                let description = try? record.description { ArenaLinkWord.offset(record.object.loadAcquire()) }
                guard let description else {
                    if ArenaLinkWord.offset(word) != 0 { report("stamp", "an object without a name") }
                    return
                }
                if !ArenaName.isName(description.name) || ArenaName.bucket(description.name) != bucket {
                    report("name", "no name of this bucket")
                }
                // Unused ones keep their last name.
                if !names.insert(description.name).inserted { report("name", "of two records") }
                guard description.object != 0 else { return }
                let block = try? memory.allocated(description.object)
                if block == nil { report("object", "names no block") }
                if let block, description.byteCount.map({ $0 > block.size }) ?? true {
                    report("count", "more values than its block has room for")
                }
            }
            if !isWhole { report("next", "the list comes to no end") }
        }
        return found
    }
}
