; The first rows by a decimal, descending, then a date: two words of key, rows that are cut off lend their memory.
(fragment
  (input (column int64) (column (decimal 15 2)) (column date32 nullable))
  (params (param uint64))
  (pipeline (input 0) (sort (desc c1 nulls-last) (asc c2 nulls-first) (fetch p0)))
  (pipeline (sorted 0) (project c0 c1) (emit)))

;; the module
(module
  (type (;0;) (func (param i32 i32) (result i32)))
  (type (;1;) (func (param i64 i64 i64 i64) (result i64 i64 i32)))
  (type (;2;) (func (param i64 i64 i64 i64) (result i64 i64 i64 i64)))
  (type (;3;) (func (param i64 i64) (result f64)))
  (type (;4;) (func (param i32) (result i32)))
  (type (;5;) (func (param i32 i32 i32)))
  (type (;6;) (func (param i32 i32 i32)))
  (type (;7;) (func (param i32 i32 i32) (result i32)))
  (type (;8;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;9;) (func (param i32 i32) (result i64)))
  (type (;10;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;11;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;12;) (func (param i32 i32 i64 i64) (result i32 i32)))
  (type (;13;) (func (param i64) (result i64 i64 i64)))
  (type (;14;) (func (param i64 i64 i64) (result i64)))
  (type (;15;) (func (param i32) (result i32)))
  (type (;16;) (func (param i32) (result i32)))
  (type (;17;) (func (result i32)))
  (type (;18;) (func (param i32) (result i32)))
  (import "murre" "memory" (memory (;0;) 1 65536))
  (import "murre" "raise" (func (;0;) (type 0)))
  (export "open" (func 15))
  (export "push_0" (func 16))
  (export "finish_0" (func 17))
  (export "pull" (func 18))
  (func (;1;) (type 1) (param i64 i64 i64 i64) (result i64 i64 i32)
    unreachable
  )
  (func (;2;) (type 2) (param i64 i64 i64 i64) (result i64 i64 i64 i64)
    unreachable
  )
  (func (;3;) (type 3) (param i64 i64) (result f64)
    unreachable
  )
  (func (;4;) (type 4) (param i32) (result i32)
    (local i32 i32)
    i32.const 0
    i32.load offset=4 align=1
    local.set 1
    local.get 1
    local.get 0
    i32.const 63
    i32.add
    i32.const -64
    i32.and
    i32.add
    local.set 2
    local.get 2
    i32.const 0
    i32.load align=1
    i32.gt_u
    if ;; label = @1
      i32.const 0
      local.get 2
      i32.store offset=8 align=1
      i32.const 0
      return
    end
    i32.const 0
    local.get 2
    i32.store offset=4 align=1
    local.get 1
    return
    unreachable
  )
  (func (;5;) (type 5) (param i32 i32 i32)
    unreachable
  )
  (func (;6;) (type 6) (param i32 i32 i32)
    unreachable
  )
  (func (;7;) (type 7) (param i32 i32 i32) (result i32)
    unreachable
  )
  (func (;8;) (type 8) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;9;) (type 9) (param i32 i32) (result i64)
    unreachable
  )
  (func (;10;) (type 10) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;11;) (type 11) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;12;) (type 12) (param i32 i32 i64 i64) (result i32 i32)
    unreachable
  )
  (func (;13;) (type 13) (param i64) (result i64 i64 i64)
    unreachable
  )
  (func (;14;) (type 14) (param i64 i64 i64) (result i64)
    unreachable
  )
  (func (;15;) (type 15) (param i32) (result i32)
    i32.const 0
    local.get 0
    i64.load align=1
    i64.store offset=1024 align=1
    i32.const 0
    local.get 0
    i64.load offset=8 align=1
    i64.store offset=1032 align=1
    i32.const 0
    i64.const 0
    i64.store offset=632 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;16;) (type 16) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i64 i64 i64 i64 i64 i64 i32 i32 i32 i64 i64 i64 i32 i32)
    i32.const 0
    i32.load offset=1104 align=1
    if ;; label = @1
      i32.const 0
      i32.load offset=1104 align=1
      i32.const 1
      i32.eq
      if ;; label = @2
        i32.const 0
        i32.load offset=1048 align=1
        i32.const 0
        i32.load offset=1044 align=1
        i32.const 0
        i32.load offset=1116 align=1
        select
        local.set 1
        i32.const 0
        i32.load offset=1108 align=1
        local.set 2
        local.get 1
        local.get 2
        i32.sub
        local.set 3
        local.get 2
        local.get 3
        i32.const 65536
        local.get 3
        i32.const 65536
        i32.lt_u
        select
        i32.add
        local.set 4
        local.get 2
        local.get 4
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            i32.const 0
            i32.load offset=1116 align=1
            if ;; label = @5
              i32.const 0
              i32.load offset=1072 align=1
              local.get 2
              i32.const 28
              i32.mul
              i32.add
              i32.load offset=24 align=1
              local.set 5
            else
              i32.const 0
              i32.load offset=1040 align=1
              local.get 2
              i32.const 10
              i32.shr_u
              i32.const 2
              i32.shl
              i32.add
              i32.load align=1
              local.get 2
              i32.const 1023
              i32.and
              i32.const 64
              i32.mul
              i32.add
              local.set 5
            end
            i32.const 0
            i32.load offset=1072 align=1
            local.get 2
            i32.const 28
            i32.mul
            i32.add
            local.set 6
            local.get 6
            local.get 5
            i64.load align=1
            i64.store align=1
            local.get 6
            local.get 5
            i64.load offset=8 align=1
            i64.store offset=8 align=1
            local.get 6
            local.get 5
            i64.load offset=16 align=1
            i64.store offset=16 align=1
            local.get 6
            local.get 5
            i32.store offset=24 align=1
            local.get 2
            i32.const 1
            i32.add
            local.set 2
            local.get 2
            local.get 4
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 4
        i32.store offset=1108 align=1
        local.get 4
        local.get 1
        i32.lt_u
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=1048 align=1
        i32.const 28
        i32.mul
        local.set 7
        i32.const 0
        i32.load offset=1076 align=1
        local.get 7
        i32.add
        i32.const 0
        i32.load offset=1072 align=1
        local.get 7
        i32.add
        i32.const 0
        i32.load offset=1044 align=1
        i32.const 28
        i32.mul
        local.get 7
        i32.sub
        memory.copy
        i32.const 0
        i32.const 28
        i32.store offset=1080 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1084 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1088 align=1
        i32.const 0
        i32.const 28
        i32.store offset=1092 align=1
        i32.const 0
        i32.const 2
        i32.store offset=1104 align=1
      end
      i32.const 0
      i32.load offset=1048 align=1
      i32.const 28
      i32.mul
      local.set 8
      i32.const 0
      i32.load offset=1072 align=1
      local.set 9
      i32.const 0
      i32.load offset=1076 align=1
      local.set 10
      i32.const 0
      i32.load offset=1088 align=1
      local.set 11
      i32.const 0
      i32.load offset=1092 align=1
      local.set 12
      i32.const 2097152
      local.set 15
      i32.const 0
      i32.load offset=1080 align=1
      local.set 16
      i32.const 0
      i32.load offset=1084 align=1
      local.set 17
      block ;; label = @2
        block ;; label = @3
          loop ;; label = @4
            local.get 8
            local.get 16
            i32.le_u
            br_if 2 (;@2;)
            local.get 8
            local.get 17
            i32.le_u
            if ;; label = @5
              local.get 10
              local.set 18
              local.get 9
              local.set 10
              local.get 18
              local.set 9
              local.get 16
              i32.const 1
              i32.shl
              local.set 16
              i32.const 0
              local.set 17
              i32.const 0
              local.set 11
              local.get 16
              local.set 12
              br 1 (;@4;)
            end
            local.get 17
            local.get 16
            i32.add
            local.get 8
            local.get 17
            local.get 16
            i32.add
            local.get 8
            i32.lt_u
            select
            local.set 13
            local.get 13
            local.get 16
            i32.add
            local.get 8
            local.get 13
            local.get 16
            i32.add
            local.get 8
            i32.lt_u
            select
            local.set 14
            local.get 12
            local.get 14
            local.get 12
            local.get 14
            i32.lt_u
            select
            local.set 12
            block ;; label = @5
              loop ;; label = @6
                local.get 11
                local.get 13
                i32.lt_u
                local.get 12
                local.get 14
                i32.lt_u
                i32.and
                i32.eqz
                br_if 1 (;@5;)
                local.get 15
                i32.const 0
                i32.le_s
                br_if 3 (;@3;)
                local.get 9
                local.get 11
                i32.add
                local.set 19
                local.get 9
                local.get 12
                i32.add
                local.set 20
                local.get 10
                local.get 11
                i32.add
                local.get 12
                i32.add
                local.get 13
                i32.sub
                local.set 21
                local.get 20
                i64.load align=1
                local.get 19
                i64.load align=1
                i64.lt_u
                local.get 20
                i64.load align=1
                local.get 19
                i64.load align=1
                i64.eq
                local.get 20
                i64.load offset=8 align=1
                local.get 19
                i64.load offset=8 align=1
                i64.lt_u
                local.get 20
                i64.load offset=8 align=1
                local.get 19
                i64.load offset=8 align=1
                i64.eq
                local.get 20
                i64.load offset=16 align=1
                local.get 19
                i64.load offset=16 align=1
                i64.lt_u
                i32.and
                i32.or
                i32.and
                i32.or
                local.set 22
                local.get 20
                local.get 19
                local.get 22
                select
                local.set 23
                local.get 21
                local.get 23
                i64.load align=1
                i64.store align=1
                local.get 21
                local.get 23
                i64.load offset=8 align=1
                i64.store offset=8 align=1
                local.get 21
                local.get 23
                i64.load offset=16 align=1
                i64.store offset=16 align=1
                local.get 21
                local.get 23
                i32.load offset=24 align=1
                i32.store offset=24 align=1
                local.get 22
                i32.const 28
                i32.mul
                local.set 24
                local.get 12
                local.get 24
                i32.add
                local.set 12
                local.get 11
                i32.const 28
                local.get 24
                i32.sub
                i32.add
                local.set 11
                local.get 15
                i32.const 28
                i32.sub
                local.set 15
                br 0 (;@6;)
              end
            end
            local.get 13
            local.get 11
            i32.sub
            local.set 25
            local.get 14
            local.get 12
            i32.sub
            local.set 26
            local.get 25
            local.get 26
            i32.add
            local.set 27
            local.get 27
            i32.const 0
            local.get 15
            local.get 15
            i32.const 0
            i32.le_s
            select
            local.get 27
            i32.const 0
            local.get 15
            local.get 15
            i32.const 0
            i32.le_s
            select
            i32.lt_u
            select
            local.set 28
            local.get 10
            local.get 11
            i32.add
            local.get 12
            i32.add
            local.get 13
            i32.sub
            local.get 9
            local.get 11
            local.get 12
            local.get 25
            select
            i32.add
            local.get 28
            memory.copy
            local.get 15
            local.get 28
            i32.sub
            local.set 15
            local.get 25
            if ;; label = @5
              local.get 11
              local.get 28
              i32.add
              local.set 11
            else
              local.get 12
              local.get 28
              i32.add
              local.set 12
            end
            local.get 28
            local.get 27
            i32.lt_u
            br_if 1 (;@3;)
            local.get 15
            i32.const 64
            i32.sub
            local.set 15
            local.get 14
            local.set 17
            local.get 17
            local.set 11
            local.get 17
            local.get 16
            i32.add
            local.set 12
            br 0 (;@4;)
          end
        end
        i32.const 0
        local.get 9
        i32.store offset=1072 align=1
        i32.const 0
        local.get 10
        i32.store offset=1076 align=1
        i32.const 0
        local.get 11
        i32.store offset=1088 align=1
        i32.const 0
        local.get 12
        i32.store offset=1092 align=1
        i32.const 0
        local.get 16
        i32.store offset=1080 align=1
        i32.const 0
        local.get 17
        i32.store offset=1084 align=1
        i32.const 1
        return
      end
      i32.const 0
      local.get 9
      i32.store offset=1072 align=1
      i32.const 0
      local.get 10
      i32.store offset=1076 align=1
      i32.const 0
      local.get 11
      i32.store offset=1088 align=1
      i32.const 0
      local.get 12
      i32.store offset=1092 align=1
      i32.const 0
      local.get 16
      i32.store offset=1080 align=1
      i32.const 0
      local.get 17
      i32.store offset=1084 align=1
      i32.const 0
      i64.load offset=1024 align=1
      i64.const 268435456
      i32.const 0
      i64.load offset=1024 align=1
      i64.const 268435456
      i64.lt_u
      select
      i32.wrap_i64
      local.set 29
      local.get 29
      local.set 30
      i32.const 0
      i32.load offset=1048 align=1
      local.get 29
      i32.lt_u
      if ;; label = @2
        i32.const 0
        i32.load offset=1048 align=1
        local.set 30
      end
      i32.const 0
      local.get 30
      i32.store offset=1048 align=1
      i32.const 0
      local.get 30
      i32.store offset=1108 align=1
      i32.const 0
      i32.const 0
      i32.store offset=1104 align=1
      i32.const 0
      local.get 29
      i32.const 0
      i32.ne
      i32.store offset=1116 align=1
      local.get 29
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.const 0
        i32.store offset=1108 align=1
      end
    end
    i32.const 0
    i64.load offset=1024 align=1
    local.set 31
    i32.const 0
    i32.load offset=1136 align=1
    i32.eqz
    if ;; label = @1
    end
    i32.const 0
    i32.load offset=1136 align=1
    local.set 32
    i32.const 0
    i32.load offset=64 align=1
    local.set 34
    local.get 34
    i32.load align=1
    local.set 35
    local.get 34
    i32.load offset=32 align=1
    local.set 36
    local.get 34
    i32.load offset=64 align=1
    local.set 37
    local.get 34
    i32.load offset=68 align=1
    local.set 38
    block ;; label = @1
      loop ;; label = @2
        local.get 0
        local.get 32
        i32.le_u
        br_if 1 (;@1;)
        i32.const 0
        local.get 0
        i32.store offset=1140 align=1
        i32.const 0
        local.get 32
        i32.store offset=1136 align=1
        i32.const 0
        i32.load offset=1044 align=1
        i32.const 0
        i64.load offset=1024 align=1
        i64.const 268435456
        i32.const 0
        i64.load offset=1024 align=1
        i64.const 268435456
        i64.lt_u
        select
        i32.wrap_i64
        i32.const 1
        i32.shl
        i32.const 8192
        i32.add
        i32.const 0
        i32.load offset=1116 align=1
        select
        local.set 39
        local.get 39
        i32.const 0
        i32.load offset=1048 align=1
        i32.const 1024
        i32.add
        i32.lt_u
        if ;; label = @3
          i32.const 0
          i32.load offset=1044 align=1
          local.set 40
          i32.const 0
          i32.load offset=1112 align=1
          local.get 40
          i32.lt_u
          if ;; label = @4
            local.get 40
            i32.const 28
            i32.mul
            local.set 41
            local.get 41
            i32.const 1
            i32.shl
            call 4
            local.set 42
            local.get 42
            i32.eqz
            if ;; label = @5
              i32.const 2
              return
            end
            i32.const 0
            local.get 42
            i32.store offset=1072 align=1
            i32.const 0
            local.get 42
            local.get 41
            i32.add
            i32.store offset=1076 align=1
            i32.const 0
            local.get 40
            i32.store offset=1112 align=1
          end
          i32.const 0
          i32.const 1
          i32.store offset=1104 align=1
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=1040 align=1
        i32.eqz
        if ;; label = @3
          i32.const 524288
          call 4
          local.set 43
          local.get 43
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 43
          i32.store offset=1040 align=1
        end
        i32.const 0
        i32.load offset=1044 align=1
        i32.const 0
        i32.load offset=1048 align=1
        i32.const 1024
        i32.add
        i32.lt_u
        if ;; label = @3
          i32.const 65536
          call 4
          local.set 44
          local.get 44
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          i32.load offset=1040 align=1
          i32.const 0
          i32.load offset=1044 align=1
          i32.const 10
          i32.shr_u
          i32.const 2
          i32.shl
          i32.add
          local.get 44
          i32.store align=1
          i32.const 0
          i32.const 0
          i32.load offset=1044 align=1
          i32.const 1024
          i32.add
          i32.store offset=1044 align=1
        end
        i32.const 0
        local.set 45
        i32.const 0
        i32.load offset=1116 align=1
        if ;; label = @3
          i32.const 0
          i32.load offset=1072 align=1
          i32.const 0
          i64.load offset=1024 align=1
          i64.const 268435456
          i32.const 0
          i64.load offset=1024 align=1
          i64.const 268435456
          i64.lt_u
          select
          i32.wrap_i64
          i32.const 1
          i32.sub
          i32.const 28
          i32.mul
          i32.add
          local.set 45
        end
        local.get 0
        local.get 32
        i32.sub
        local.set 46
        local.get 32
        local.get 46
        i32.const 1024
        local.get 46
        i32.const 1024
        i32.lt_u
        select
        i32.add
        local.set 47
        local.get 32
        local.get 47
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 32
            local.set 33
            local.get 36
            local.get 33
            i32.const 16
            i32.mul
            i32.add
            i64.load align=1
            local.get 36
            local.get 33
            i32.const 16
            i32.mul
            i32.add
            i64.load offset=8 align=1
            local.set 49
            local.set 48
            local.get 37
            local.get 33
            i32.const 4
            i32.mul
            i32.add
            i32.load align=1
            local.set 50
            local.get 38
            local.get 33
            i32.const 3
            i32.shr_u
            i32.add
            i32.load8_u
            local.get 33
            i32.const 7
            i32.and
            i32.shr_u
            i32.const 1
            i32.and
            i32.eqz
            local.set 51
            local.get 49
            i64.const -9223372036854775808
            i64.xor
            i64.const -1
            i64.xor
            local.set 52
            local.get 48
            i64.const -1
            i64.xor
            local.set 53
            local.get 51
            i32.eqz
            i64.extend_i32_u
            local.set 54
            i64.const 0
            local.get 50
            i64.extend_i32_u
            i64.const 4294967295
            i64.and
            i64.const 2147483648
            i64.xor
            local.get 51
            select
            local.set 55
            local.get 54
            i64.const 32
            i64.shl
            local.get 55
            i64.or
            local.set 56
            local.get 56
            i64.const 31
            i64.shl
            local.set 57
            i32.const 1
            local.set 58
            local.get 45
            if ;; label = @5
              local.get 52
              local.get 45
              i64.load align=1
              i64.lt_u
              local.get 52
              local.get 45
              i64.load align=1
              i64.eq
              local.get 53
              local.get 45
              i64.load offset=8 align=1
              i64.lt_u
              local.get 53
              local.get 45
              i64.load offset=8 align=1
              i64.eq
              local.get 57
              local.get 45
              i64.load offset=16 align=1
              i64.lt_u
              local.get 57
              local.get 45
              i64.load offset=16 align=1
              i64.eq
              i32.const 0
              i32.and
              i32.or
              i32.and
              i32.or
              i32.and
              i32.or
              local.set 58
            end
            local.get 58
            if ;; label = @5
              i32.const 0
              i32.load offset=1048 align=1
              local.set 59
              i32.const 0
              i32.load offset=1116 align=1
              if ;; label = @6
                i32.const 0
                i32.load offset=1072 align=1
                local.get 59
                i32.const 28
                i32.mul
                i32.add
                i32.load offset=24 align=1
                local.set 60
              else
                i32.const 0
                i32.load offset=1040 align=1
                local.get 59
                i32.const 10
                i32.shr_u
                i32.const 2
                i32.shl
                i32.add
                i32.load align=1
                local.get 59
                i32.const 1023
                i32.and
                i32.const 64
                i32.mul
                i32.add
                local.set 60
              end
              local.get 60
              local.get 52
              i64.store align=1
              local.get 60
              local.get 53
              i64.store offset=8 align=1
              local.get 60
              local.get 57
              i64.store offset=16 align=1
              local.get 35
              local.get 33
              i32.const 8
              i32.mul
              i32.add
              i64.load align=1
              local.set 61
              local.get 36
              local.get 33
              i32.const 16
              i32.mul
              i32.add
              i64.load align=1
              local.get 36
              local.get 33
              i32.const 16
              i32.mul
              i32.add
              i64.load offset=8 align=1
              local.set 63
              local.set 62
              local.get 37
              local.get 33
              i32.const 4
              i32.mul
              i32.add
              i32.load align=1
              local.set 64
              local.get 38
              local.get 33
              i32.const 3
              i32.shr_u
              i32.add
              i32.load8_u
              local.get 33
              i32.const 7
              i32.and
              i32.shr_u
              i32.const 1
              i32.and
              i32.eqz
              local.set 65
              local.get 60
              local.get 61
              i64.store offset=32 align=1
              local.get 60
              local.get 62
              i64.store offset=40 align=1
              local.get 60
              local.get 63
              i64.store offset=48 align=1
              local.get 60
              local.get 64
              i32.store offset=24 align=1
              local.get 60
              local.get 65
              i32.store8 offset=56
              i32.const 0
              local.get 59
              i32.const 1
              i32.add
              i32.store offset=1048 align=1
            end
            local.get 32
            i32.const 1
            i32.add
            local.set 32
            local.get 32
            local.get 47
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        br 0 (;@2;)
      end
    end
    i32.const 0
    i32.const 0
    i32.store offset=1136 align=1
    i32.const 0
    i32.const 0
    i64.load offset=32 align=1
    local.get 0
    i64.extend_i32_u
    i64.add
    i64.store offset=32 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;17;) (type 17) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    i32.const 0
    i32.load offset=1120 align=1
    i32.eqz
    if ;; label = @1
      i32.const 0
      i32.load offset=1104 align=1
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.load offset=1044 align=1
        local.set 0
        i32.const 0
        i32.load offset=1112 align=1
        local.get 0
        i32.lt_u
        if ;; label = @3
          local.get 0
          i32.const 28
          i32.mul
          local.set 1
          local.get 1
          i32.const 1
          i32.shl
          call 4
          local.set 2
          local.get 2
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 2
          i32.store offset=1072 align=1
          i32.const 0
          local.get 2
          local.get 1
          i32.add
          i32.store offset=1076 align=1
          i32.const 0
          local.get 0
          i32.store offset=1112 align=1
        end
        i32.const 0
        i32.const 1
        i32.store offset=1104 align=1
      end
      i32.const 0
      i32.load offset=1104 align=1
      i32.const 1
      i32.eq
      if ;; label = @2
        i32.const 0
        i32.load offset=1048 align=1
        i32.const 0
        i32.load offset=1044 align=1
        i32.const 0
        i32.load offset=1116 align=1
        select
        local.set 3
        i32.const 0
        i32.load offset=1108 align=1
        local.set 4
        local.get 3
        local.get 4
        i32.sub
        local.set 5
        local.get 4
        local.get 5
        i32.const 65536
        local.get 5
        i32.const 65536
        i32.lt_u
        select
        i32.add
        local.set 6
        local.get 4
        local.get 6
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            i32.const 0
            i32.load offset=1116 align=1
            if ;; label = @5
              i32.const 0
              i32.load offset=1072 align=1
              local.get 4
              i32.const 28
              i32.mul
              i32.add
              i32.load offset=24 align=1
              local.set 7
            else
              i32.const 0
              i32.load offset=1040 align=1
              local.get 4
              i32.const 10
              i32.shr_u
              i32.const 2
              i32.shl
              i32.add
              i32.load align=1
              local.get 4
              i32.const 1023
              i32.and
              i32.const 64
              i32.mul
              i32.add
              local.set 7
            end
            i32.const 0
            i32.load offset=1072 align=1
            local.get 4
            i32.const 28
            i32.mul
            i32.add
            local.set 8
            local.get 8
            local.get 7
            i64.load align=1
            i64.store align=1
            local.get 8
            local.get 7
            i64.load offset=8 align=1
            i64.store offset=8 align=1
            local.get 8
            local.get 7
            i64.load offset=16 align=1
            i64.store offset=16 align=1
            local.get 8
            local.get 7
            i32.store offset=24 align=1
            local.get 4
            i32.const 1
            i32.add
            local.set 4
            local.get 4
            local.get 6
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 6
        i32.store offset=1108 align=1
        local.get 6
        local.get 3
        i32.lt_u
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=1048 align=1
        i32.const 28
        i32.mul
        local.set 9
        i32.const 0
        i32.load offset=1076 align=1
        local.get 9
        i32.add
        i32.const 0
        i32.load offset=1072 align=1
        local.get 9
        i32.add
        i32.const 0
        i32.load offset=1044 align=1
        i32.const 28
        i32.mul
        local.get 9
        i32.sub
        memory.copy
        i32.const 0
        i32.const 28
        i32.store offset=1080 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1084 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1088 align=1
        i32.const 0
        i32.const 28
        i32.store offset=1092 align=1
        i32.const 0
        i32.const 2
        i32.store offset=1104 align=1
      end
      i32.const 0
      i32.load offset=1048 align=1
      i32.const 28
      i32.mul
      local.set 10
      i32.const 0
      i32.load offset=1072 align=1
      local.set 11
      i32.const 0
      i32.load offset=1076 align=1
      local.set 12
      i32.const 0
      i32.load offset=1088 align=1
      local.set 13
      i32.const 0
      i32.load offset=1092 align=1
      local.set 14
      i32.const 2097152
      local.set 17
      i32.const 0
      i32.load offset=1080 align=1
      local.set 18
      i32.const 0
      i32.load offset=1084 align=1
      local.set 19
      block ;; label = @2
        block ;; label = @3
          loop ;; label = @4
            local.get 10
            local.get 18
            i32.le_u
            br_if 2 (;@2;)
            local.get 10
            local.get 19
            i32.le_u
            if ;; label = @5
              local.get 12
              local.set 20
              local.get 11
              local.set 12
              local.get 20
              local.set 11
              local.get 18
              i32.const 1
              i32.shl
              local.set 18
              i32.const 0
              local.set 19
              i32.const 0
              local.set 13
              local.get 18
              local.set 14
              br 1 (;@4;)
            end
            local.get 19
            local.get 18
            i32.add
            local.get 10
            local.get 19
            local.get 18
            i32.add
            local.get 10
            i32.lt_u
            select
            local.set 15
            local.get 15
            local.get 18
            i32.add
            local.get 10
            local.get 15
            local.get 18
            i32.add
            local.get 10
            i32.lt_u
            select
            local.set 16
            local.get 14
            local.get 16
            local.get 14
            local.get 16
            i32.lt_u
            select
            local.set 14
            block ;; label = @5
              loop ;; label = @6
                local.get 13
                local.get 15
                i32.lt_u
                local.get 14
                local.get 16
                i32.lt_u
                i32.and
                i32.eqz
                br_if 1 (;@5;)
                local.get 17
                i32.const 0
                i32.le_s
                br_if 3 (;@3;)
                local.get 11
                local.get 13
                i32.add
                local.set 21
                local.get 11
                local.get 14
                i32.add
                local.set 22
                local.get 12
                local.get 13
                i32.add
                local.get 14
                i32.add
                local.get 15
                i32.sub
                local.set 23
                local.get 22
                i64.load align=1
                local.get 21
                i64.load align=1
                i64.lt_u
                local.get 22
                i64.load align=1
                local.get 21
                i64.load align=1
                i64.eq
                local.get 22
                i64.load offset=8 align=1
                local.get 21
                i64.load offset=8 align=1
                i64.lt_u
                local.get 22
                i64.load offset=8 align=1
                local.get 21
                i64.load offset=8 align=1
                i64.eq
                local.get 22
                i64.load offset=16 align=1
                local.get 21
                i64.load offset=16 align=1
                i64.lt_u
                i32.and
                i32.or
                i32.and
                i32.or
                local.set 24
                local.get 22
                local.get 21
                local.get 24
                select
                local.set 25
                local.get 23
                local.get 25
                i64.load align=1
                i64.store align=1
                local.get 23
                local.get 25
                i64.load offset=8 align=1
                i64.store offset=8 align=1
                local.get 23
                local.get 25
                i64.load offset=16 align=1
                i64.store offset=16 align=1
                local.get 23
                local.get 25
                i32.load offset=24 align=1
                i32.store offset=24 align=1
                local.get 24
                i32.const 28
                i32.mul
                local.set 26
                local.get 14
                local.get 26
                i32.add
                local.set 14
                local.get 13
                i32.const 28
                local.get 26
                i32.sub
                i32.add
                local.set 13
                local.get 17
                i32.const 28
                i32.sub
                local.set 17
                br 0 (;@6;)
              end
            end
            local.get 15
            local.get 13
            i32.sub
            local.set 27
            local.get 16
            local.get 14
            i32.sub
            local.set 28
            local.get 27
            local.get 28
            i32.add
            local.set 29
            local.get 29
            i32.const 0
            local.get 17
            local.get 17
            i32.const 0
            i32.le_s
            select
            local.get 29
            i32.const 0
            local.get 17
            local.get 17
            i32.const 0
            i32.le_s
            select
            i32.lt_u
            select
            local.set 30
            local.get 12
            local.get 13
            i32.add
            local.get 14
            i32.add
            local.get 15
            i32.sub
            local.get 11
            local.get 13
            local.get 14
            local.get 27
            select
            i32.add
            local.get 30
            memory.copy
            local.get 17
            local.get 30
            i32.sub
            local.set 17
            local.get 27
            if ;; label = @5
              local.get 13
              local.get 30
              i32.add
              local.set 13
            else
              local.get 14
              local.get 30
              i32.add
              local.set 14
            end
            local.get 30
            local.get 29
            i32.lt_u
            br_if 1 (;@3;)
            local.get 17
            i32.const 64
            i32.sub
            local.set 17
            local.get 16
            local.set 19
            local.get 19
            local.set 13
            local.get 19
            local.get 18
            i32.add
            local.set 14
            br 0 (;@4;)
          end
        end
        i32.const 0
        local.get 11
        i32.store offset=1072 align=1
        i32.const 0
        local.get 12
        i32.store offset=1076 align=1
        i32.const 0
        local.get 13
        i32.store offset=1088 align=1
        i32.const 0
        local.get 14
        i32.store offset=1092 align=1
        i32.const 0
        local.get 18
        i32.store offset=1080 align=1
        i32.const 0
        local.get 19
        i32.store offset=1084 align=1
        i32.const 1
        return
      end
      i32.const 0
      local.get 11
      i32.store offset=1072 align=1
      i32.const 0
      local.get 12
      i32.store offset=1076 align=1
      i32.const 0
      local.get 13
      i32.store offset=1088 align=1
      i32.const 0
      local.get 14
      i32.store offset=1092 align=1
      i32.const 0
      local.get 18
      i32.store offset=1080 align=1
      i32.const 0
      local.get 19
      i32.store offset=1084 align=1
      i32.const 0
      i64.load offset=1024 align=1
      i64.const 268435456
      i32.const 0
      i64.load offset=1024 align=1
      i64.const 268435456
      i64.lt_u
      select
      i32.wrap_i64
      local.set 31
      local.get 31
      local.set 32
      i32.const 0
      i32.load offset=1048 align=1
      local.get 31
      i32.lt_u
      if ;; label = @2
        i32.const 0
        i32.load offset=1048 align=1
        local.set 32
      end
      i32.const 0
      local.get 32
      i32.store offset=1048 align=1
      i32.const 0
      local.get 32
      i32.store offset=1108 align=1
      i32.const 0
      i32.const 0
      i32.store offset=1104 align=1
      i32.const 0
      local.get 31
      i32.const 0
      i32.ne
      i32.store offset=1116 align=1
      local.get 31
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.const 0
        i32.store offset=1108 align=1
      end
      i32.const 0
      i32.const 1
      i32.store offset=1120 align=1
    end
    i32.const 0
    return
    unreachable
  )
  (func (;18;) (type 18) (param i32) (result i32)
    (local i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i64 i32 i64 i64 i32 i32)
    local.get 0
    i32.const 0
    i32.load offset=1504 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 1
      local.get 1
      i32.const 24
      i32.mul
      call 4
      local.set 2
      local.get 2
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 2
      i32.store offset=1508 align=1
      i32.const 0
      local.get 1
      i32.store offset=1504 align=1
    end
    i32.const 0
    i64.load offset=1024 align=1
    local.set 3
    i32.const 0
    i32.load offset=1508 align=1
    i32.const 0
    i32.load offset=1504 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 4
    i32.const 0
    i32.load offset=1508 align=1
    i32.const 0
    i32.load offset=1504 align=1
    i32.const 8
    i32.mul
    i32.add
    local.set 5
    i32.const 0
    local.set 6
    i32.const 0
    i32.load offset=1048 align=1
    i32.const 0
    i32.load offset=1124 align=1
    i32.sub
    i32.const 0
    i32.const 0
    i32.load offset=1120 align=1
    select
    local.set 7
    i32.const 0
    i32.load offset=1124 align=1
    local.set 8
    local.get 8
    local.get 7
    local.get 0
    local.get 7
    local.get 0
    i32.lt_u
    select
    i32.add
    local.set 9
    local.get 8
    local.get 9
    i32.lt_u
    if ;; label = @1
      loop ;; label = @2
        i32.const 0
        i32.load offset=1072 align=1
        local.get 8
        i32.const 28
        i32.mul
        i32.add
        i32.load offset=24 align=1
        local.set 10
        local.get 10
        i64.load offset=32 align=1
        local.set 11
        local.get 4
        local.get 6
        i32.const 8
        i32.mul
        i32.add
        local.set 12
        local.get 12
        local.get 11
        i64.store align=1
        local.get 10
        i64.load offset=40 align=1
        local.get 10
        i64.load offset=48 align=1
        local.set 14
        local.set 13
        local.get 5
        local.get 6
        i32.const 16
        i32.mul
        i32.add
        local.set 15
        local.get 15
        local.get 13
        i64.store align=1
        local.get 15
        local.get 14
        i64.store offset=8 align=1
        local.get 6
        i32.const 1
        i32.add
        local.set 6
        local.get 8
        i32.const 1
        i32.add
        local.set 8
        local.get 8
        local.get 9
        i32.lt_u
        br_if 0 (;@2;)
      end
    end
    i32.const 0
    local.get 9
    i32.store offset=1124 align=1
    i32.const 0
    local.get 4
    i32.store offset=1440 align=1
    i32.const 0
    local.get 6
    i32.store offset=1456 align=1
    i32.const 0
    local.get 5
    i32.store offset=1472 align=1
    i32.const 0
    local.get 6
    i32.store offset=1488 align=1
    i32.const 0
    local.get 6
    i32.store offset=1520 align=1
    i32.const 0
    i32.load offset=1520 align=1
    local.set 16
    i32.const 0
    i32.const 0
    i32.store offset=1520 align=1
    i32.const 0
    local.get 16
    i32.store offset=24 align=1
    i32.const 0
    i32.const 1440
    i32.store offset=28 align=1
    local.get 16
    i32.const 0
    i32.load offset=1048 align=1
    i32.const 0
    i32.load offset=1124 align=1
    i32.sub
    i32.const 0
    i32.const 0
    i32.load offset=1120 align=1
    select
    i32.or
    if ;; label = @1
      i32.const 1
      return
    end
    i32.const 0
    return
    unreachable
  )
)
