; Text: a prefix and a comparison with parameters, then groups by text whose smallest text is kept.
(fragment
  (input (column utf8) (column utf8 nullable))
  (params (param utf8) (param utf8))
  (pipeline
    (input 0)
    (filter (and (eq c0 p0) (like prefix c1 p1)))
    (aggregate single (keys c0) (min c1)))
  (pipeline (groups 0) (emit)))

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
    (local i32)
    local.get 0
    local.get 1
    i32.add
    local.set 3
    local.get 0
    local.get 3
    i32.lt_u
    if ;; label = @1
      loop ;; label = @2
        local.get 2
        local.get 0
        v128.load align=1
        i32.const 7
        i8x16.shl
        i8x16.bitmask
        i32.store16 align=1
        local.get 2
        i32.const 2
        i32.add
        local.set 2
        local.get 0
        i32.const 16
        i32.add
        local.set 0
        local.get 0
        local.get 3
        i32.lt_u
        br_if 0 (;@2;)
      end
    end
  )
  (func (;6;) (type 6) (param i32 i32 i32)
    (local i64 i32 i64)
    local.get 1
    i64.load align=1
    i64.const 1
    local.get 2
    i32.const 3
    i32.shl
    i64.extend_i32_u
    i64.shl
    i64.const 1
    i64.sub
    i64.const -1
    local.get 2
    i32.const 8
    i32.lt_u
    select
    i64.and
    local.set 3
    i32.const 0
    local.get 2
    i32.const 8
    i32.sub
    local.get 2
    i32.const 8
    i32.lt_u
    select
    local.set 4
    local.get 1
    i64.load offset=8 align=1
    i64.const 1
    local.get 4
    i32.const 3
    i32.shl
    i64.extend_i32_u
    i64.shl
    i64.const 1
    i64.sub
    i64.const -1
    local.get 4
    i32.const 8
    i32.lt_u
    select
    i64.and
    local.set 5
    local.get 0
    local.get 2
    i32.store align=1
    local.get 0
    local.get 3
    i64.store offset=4 align=1
    local.get 0
    local.get 5
    i32.wrap_i64
    i32.const 0
    local.get 2
    i32.const 12
    i32.le_u
    select
    i32.store offset=12 align=1
    local.get 2
    i32.const 12
    i32.gt_u
    if ;; label = @1
      local.get 0
      local.get 1
      i32.store offset=8 align=1
    end
  )
  (func (;7;) (type 7) (param i32 i32 i32) (result i32)
    (local i32 i32)
    local.get 2
    i32.const 8
    i32.sub
    local.set 3
    i32.const 0
    local.set 4
    loop ;; label = @1
      local.get 0
      local.get 4
      i32.add
      i64.load align=1
      local.get 1
      local.get 4
      i32.add
      i64.load align=1
      i64.ne
      if ;; label = @2
        i32.const 0
        return
      end
      local.get 4
      i32.const 8
      i32.add
      local.set 4
      local.get 4
      local.get 3
      i32.lt_u
      br_if 0 (;@1;)
    end
    local.get 0
    local.get 3
    i32.add
    i64.load align=1
    local.get 1
    local.get 3
    i32.add
    i64.load align=1
    i64.ne
    i32.eqz
    return
    unreachable
  )
  (func (;8;) (type 8) (param i32 i32 i32 i32) (result i32)
    (local i32 i32 i64)
    local.get 1
    local.get 3
    local.get 1
    local.get 3
    i32.lt_u
    select
    local.set 4
    i32.const 0
    local.set 5
    local.get 4
    if ;; label = @1
      loop ;; label = @2
        local.get 0
        local.get 5
        i32.add
        i64.load align=1
        local.get 2
        local.get 5
        i32.add
        i64.load align=1
        i64.xor
        local.set 6
        local.get 6
        i64.const 0
        i64.ne
        if ;; label = @3
          local.get 5
          local.get 6
          i64.ctz
          i32.wrap_i64
          i32.const 3
          i32.shr_u
          i32.add
          local.set 5
          local.get 5
          local.get 4
          i32.lt_u
          if ;; label = @4
            local.get 0
            local.get 5
            i32.add
            i32.load8_u
            local.get 2
            local.get 5
            i32.add
            i32.load8_u
            i32.sub
            return
          end
          local.get 1
          local.get 3
          i32.sub
          return
        end
        local.get 5
        i32.const 8
        i32.add
        local.set 5
        local.get 5
        local.get 4
        i32.lt_u
        br_if 0 (;@2;)
      end
    end
    local.get 1
    local.get 3
    i32.sub
    return
    unreachable
  )
  (func (;9;) (type 9) (param i32 i32) (result i64)
    (local i64 i32 i64 i64)
    local.get 1
    i64.extend_i32_u
    local.set 2
    local.get 0
    local.get 1
    i32.add
    i32.const 8
    i32.sub
    local.set 3
    loop ;; label = @1
      local.get 2
      local.get 0
      i64.load align=1
      i64.xor
      i64.const -2960836687051489901
      i64.mul_wide_u
      local.set 5
      local.set 4
      local.get 4
      local.get 5
      i64.xor
      local.set 2
      local.get 0
      i32.const 8
      i32.add
      local.set 0
      local.get 0
      local.get 3
      i32.lt_u
      br_if 0 (;@1;)
    end
    local.get 2
    local.get 3
    i64.load align=1
    i64.xor
    i64.const -2960836687051489901
    i64.mul_wide_u
    local.set 5
    local.set 4
    local.get 4
    local.get 5
    i64.xor
    local.set 2
    local.get 2
    return
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
    local.get 0
    i64.load offset=16 align=1
    i64.store offset=1040 align=1
    i32.const 0
    local.get 0
    i64.load offset=24 align=1
    i64.store offset=1048 align=1
    i32.const 0
    i64.const 2
    i64.store offset=632 align=1
    i32.const 0
    v128.const i32x4 0xffffffff 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1168 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1184 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1200 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0xffffffff 0xffffffff
    v128.store offset=1216 align=1
    i32.const 0
    v128.const i32x4 0x0b0a0908 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1232 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0b0a0908 0xffffffff 0xffffffff
    v128.store offset=1248 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0b0a0908 0xffffffff 0xffffffff
    v128.store offset=1264 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0xffffffff
    v128.store offset=1280 align=1
    i32.const 0
    v128.const i32x4 0x0f0e0d0c 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1296 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1312 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1328 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0f0e0d0c 0xffffffff
    v128.store offset=1344 align=1
    i32.const 0
    v128.const i32x4 0x0b0a0908 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1360 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0b0a0908 0x0f0e0d0c 0xffffffff
    v128.store offset=1376 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0b0a0908 0x0f0e0d0c 0xffffffff
    v128.store offset=1392 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c
    v128.store offset=1408 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;16;) (type 16) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i64 i64 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    i32.const 0
    i32.load offset=1076 align=1
    if ;; label = @1
      i32.const 0
      i32.load offset=1060 align=1
      i32.const 3
      i32.shl
      local.set 1
      i32.const 0
      i32.load offset=1080 align=1
      local.set 2
      local.get 2
      local.get 1
      i32.lt_u
      if ;; label = @2
        local.get 1
        local.get 2
        i32.sub
        local.set 3
        local.get 3
        i32.const 1048576
        local.get 3
        i32.const 1048576
        i32.lt_u
        select
        local.set 4
        i32.const 0
        i32.load offset=1056 align=1
        local.get 2
        i32.add
        i32.const 0
        local.get 4
        memory.fill
        i32.const 0
        local.get 2
        local.get 4
        i32.add
        i32.store offset=1080 align=1
        i32.const 1
        return
      end
      i32.const 0
      i32.load offset=1060 align=1
      i32.const 1
      i32.shr_u
      local.set 5
      i32.const 0
      i32.load offset=1084 align=1
      local.set 6
      local.get 5
      local.get 6
      i32.sub
      local.set 7
      local.get 6
      local.get 7
      i32.const 131072
      local.get 7
      i32.const 131072
      i32.lt_u
      select
      i32.add
      local.set 8
      i32.const 0
      i32.load offset=1088 align=1
      local.set 9
      i32.const 0
      i32.load offset=1056 align=1
      local.set 10
      i32.const 0
      i32.load offset=1060 align=1
      i32.const 1
      i32.sub
      local.set 11
      local.get 6
      local.get 8
      i32.lt_u
      if ;; label = @2
        loop ;; label = @3
          local.get 9
          local.get 6
          i32.const 3
          i32.shl
          i32.add
          i64.load align=1
          local.set 12
          local.get 12
          i64.const 0
          i64.ne
          if ;; label = @4
            local.get 12
            i64.const 32
            i64.shr_u
            i32.wrap_i64
            local.get 11
            i32.and
            local.set 13
            block ;; label = @5
              loop ;; label = @6
                local.get 10
                local.get 13
                i32.const 3
                i32.shl
                i32.add
                i64.load align=1
                i64.eqz
                br_if 1 (;@5;)
                local.get 13
                i32.const 1
                i32.add
                local.get 11
                i32.and
                local.set 13
                br 0 (;@6;)
              end
            end
            local.get 10
            local.get 13
            i32.const 3
            i32.shl
            i32.add
            local.get 12
            i64.store align=1
          end
          local.get 6
          i32.const 1
          i32.add
          local.set 6
          local.get 6
          local.get 8
          i32.lt_u
          br_if 0 (;@3;)
        end
      end
      i32.const 0
      local.get 8
      i32.store offset=1084 align=1
      local.get 8
      local.get 5
      i32.lt_u
      if ;; label = @2
        i32.const 1
        return
      end
      i32.const 0
      i32.const 0
      i32.store offset=1076 align=1
    end
    i32.const 0
    i32.load offset=1024 align=1
    local.set 14
    i32.const 0
    i32.load offset=1028 align=1
    local.set 15
    i32.const 0
    i32.load offset=1040 align=1
    local.set 16
    i32.const 0
    i32.load offset=1044 align=1
    local.set 17
    local.get 0
    i32.const 0
    i32.load offset=1424 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 18
      local.get 18
      i32.const 4
      i32.mul
      call 4
      local.set 19
      local.get 19
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 19
      i32.store offset=1428 align=1
      i32.const 0
      local.get 18
      i32.store offset=1424 align=1
    end
    i32.const 0
    i32.load offset=1428 align=1
    i32.const 0
    i32.load offset=1424 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 20
    i32.const 0
    local.set 21
    i32.const 0
    i32.load offset=1152 align=1
    i32.eqz
    if ;; label = @1
      i32.const 0
      i32.load offset=64 align=1
      local.set 22
      local.get 22
      i32.load align=1
      local.set 23
      local.get 22
      i32.load offset=32 align=1
      local.set 24
      local.get 22
      i32.load offset=36 align=1
      local.set 25
      i32.const 0
      i32.load offset=628 align=1
      i32.const -1
      i32.eq
      local.set 27
      i32.const 0
      i32.const 0
      i32.load offset=628 align=1
      local.get 27
      select
      local.set 28
      i32.const 0
      i32.load offset=1440 align=1
      i32.const 0
      local.get 28
      select
      local.set 21
      local.get 28
      i32.const 0
      i32.eq
      if ;; label = @2
        i32.const 0
        local.set 26
        i32.const 0
        local.set 21
        local.get 26
        local.get 0
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 20
            local.get 21
            i32.const 2
            i32.shl
            i32.add
            local.get 26
            i32.store align=1
            local.get 23
            local.get 26
            i32.const 16
            i32.mul
            i32.add
            i32.load align=1
            local.set 29
            local.get 23
            local.get 26
            i32.const 16
            i32.mul
            i32.add
            i32.const 4
            i32.add
            local.get 23
            local.get 26
            i32.const 16
            i32.mul
            i32.add
            i32.load offset=8 align=1
            local.get 29
            i32.const 12
            i32.le_u
            select
            local.set 30
            local.get 29
            local.get 15
            i32.eq
            local.set 31
            local.get 31
            if ;; label = @5
              local.get 30
              i64.load align=1
              i64.const 1
              local.get 29
              i32.const 3
              i32.shl
              i64.extend_i32_u
              i64.shl
              i64.const 1
              i64.sub
              i64.const -1
              local.get 29
              i32.const 8
              i32.lt_u
              select
              i64.and
              local.get 14
              i64.load align=1
              i64.const 1
              local.get 15
              i32.const 3
              i32.shl
              i64.extend_i32_u
              i64.shl
              i64.const 1
              i64.sub
              i64.const -1
              local.get 15
              i32.const 8
              i32.lt_u
              select
              i64.and
              i64.xor
              i64.eqz
              local.set 31
              local.get 31
              local.get 29
              i32.const 8
              i32.gt_u
              i32.and
              if ;; label = @6
                local.get 30
                local.get 14
                local.get 29
                call 7
                local.set 31
              end
            end
            local.get 31
            local.set 32
            local.get 21
            local.get 32
            i32.add
            local.set 21
            local.get 26
            i32.const 1
            i32.add
            local.set 26
            local.get 26
            local.get 0
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 21
        i32.store offset=1440 align=1
        i32.const 1
        local.set 28
        local.get 21
        i32.const 0
        i32.gt_u
        local.get 27
        i32.eqz
        i32.and
        if ;; label = @3
          i32.const 0
          i64.const 2
          i64.store offset=608 align=1
          i32.const 0
          local.get 20
          i32.store offset=616 align=1
          i32.const 0
          i32.const 4
          i32.store offset=620 align=1
          i32.const 0
          local.get 21
          i32.store offset=624 align=1
          i32.const 4
          return
        end
      end
      local.get 28
      i32.const 1
      i32.eq
      if ;; label = @2
        local.get 21
        local.set 33
        i32.const 0
        local.set 34
        i32.const 0
        local.set 21
        local.get 34
        local.get 33
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 20
            local.get 34
            i32.const 2
            i32.shl
            i32.add
            i32.load align=1
            local.set 26
            local.get 20
            local.get 21
            i32.const 2
            i32.shl
            i32.add
            local.get 26
            i32.store align=1
            local.get 24
            local.get 26
            i32.const 16
            i32.mul
            i32.add
            i32.load align=1
            local.set 35
            local.get 24
            local.get 26
            i32.const 16
            i32.mul
            i32.add
            i32.const 4
            i32.add
            local.get 24
            local.get 26
            i32.const 16
            i32.mul
            i32.add
            i32.load offset=8 align=1
            local.get 35
            i32.const 12
            i32.le_u
            select
            local.set 36
            local.get 25
            local.get 26
            i32.const 3
            i32.shr_u
            i32.add
            i32.load8_u
            local.get 26
            i32.const 7
            i32.and
            i32.shr_u
            i32.const 1
            i32.and
            i32.eqz
            local.set 37
            i32.const 0
            local.set 38
            local.get 17
            local.get 35
            i32.le_u
            if ;; label = @5
              local.get 36
              local.set 39
              local.get 17
              local.get 17
              i32.eq
              local.set 40
              local.get 40
              if ;; label = @6
                local.get 39
                i64.load align=1
                i64.const 1
                local.get 17
                i32.const 3
                i32.shl
                i64.extend_i32_u
                i64.shl
                i64.const 1
                i64.sub
                i64.const -1
                local.get 17
                i32.const 8
                i32.lt_u
                select
                i64.and
                local.get 16
                i64.load align=1
                i64.const 1
                local.get 17
                i32.const 3
                i32.shl
                i64.extend_i32_u
                i64.shl
                i64.const 1
                i64.sub
                i64.const -1
                local.get 17
                i32.const 8
                i32.lt_u
                select
                i64.and
                i64.xor
                i64.eqz
                local.set 40
                local.get 40
                local.get 17
                i32.const 8
                i32.gt_u
                i32.and
                if ;; label = @7
                  local.get 39
                  local.get 16
                  local.get 17
                  call 7
                  local.set 40
                end
              end
              local.get 40
              local.set 38
            end
            local.get 21
            local.get 38
            local.get 37
            i32.eqz
            i32.and
            i32.add
            local.set 21
            local.get 34
            i32.const 1
            i32.add
            local.set 34
            local.get 34
            local.get 33
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 21
        i32.store offset=1440 align=1
        i32.const 2
        local.set 28
      end
    end
    i32.const 0
    i32.load offset=1152 align=1
    i32.eqz
    if ;; label = @1
      i32.const 0
      i32.load offset=64 align=1
      local.set 41
      i64.const 0
      local.set 42
      local.get 42
      local.get 41
      i32.load offset=24 align=1
      i64.extend_i32_u
      i64.add
      local.set 42
      local.get 42
      local.get 41
      i32.load offset=56 align=1
      i64.extend_i32_u
      i64.add
      local.set 42
      local.get 42
      local.get 15
      i64.extend_i32_u
      local.get 0
      i64.extend_i32_u
      i64.mul
      i64.add
      local.set 42
      local.get 42
      local.get 17
      i64.extend_i32_u
      local.get 0
      i64.extend_i32_u
      i64.mul
      i64.add
      local.set 42
      local.get 42
      i64.const 2
      i64.mul
      local.set 42
      i64.const 536870912
      local.get 42
      local.get 42
      i64.const 536870912
      i64.gt_u
      select
      i32.wrap_i64
      local.set 43
      i32.const 0
      i32.load offset=1124 align=1
      i32.const 0
      i32.load offset=1120 align=1
      i32.sub
      local.get 43
      i32.lt_u
      if ;; label = @2
        local.get 43
        i32.const 1
        i32.shl
        i32.const 65536
        i32.add
        local.set 44
        local.get 44
        i32.const 128
        i32.add
        call 4
        local.set 45
        local.get 45
        i32.eqz
        if ;; label = @3
          i32.const 2
          return
        end
        i32.const 0
        local.get 45
        i32.store offset=1120 align=1
        i32.const 0
        local.get 45
        local.get 44
        i32.add
        i32.store offset=1124 align=1
      end
    end
    i32.const 0
    i32.load offset=1156 align=1
    local.get 21
    i32.const 0
    i32.load offset=1152 align=1
    select
    local.set 46
    i32.const 0
    i32.load offset=1152 align=1
    local.set 47
    i32.const 0
    i32.load offset=64 align=1
    local.set 49
    local.get 49
    i32.load align=1
    local.set 50
    local.get 49
    i32.load offset=32 align=1
    local.set 51
    local.get 49
    i32.load offset=36 align=1
    local.set 52
    block ;; label = @1
      loop ;; label = @2
        local.get 46
        local.get 47
        i32.le_u
        br_if 1 (;@1;)
        i32.const 0
        local.get 46
        i32.store offset=1156 align=1
        i32.const 0
        local.get 47
        i32.store offset=1152 align=1
        i32.const 0
        i32.load offset=1068 align=1
        i32.eqz
        if ;; label = @3
          i32.const 262144
          call 4
          local.set 53
          local.get 53
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 53
          i32.store offset=1068 align=1
        end
        i32.const 0
        i32.load offset=1064 align=1
        i32.const 1024
        i32.add
        local.set 54
        i32.const 0
        i32.load offset=1072 align=1
        local.get 54
        i32.lt_u
        if ;; label = @3
          i32.const 40960
          call 4
          local.set 55
          local.get 55
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          i32.load offset=1068 align=1
          i32.const 0
          i32.load offset=1072 align=1
          i32.const 10
          i32.shr_u
          i32.const 2
          i32.shl
          i32.add
          local.get 55
          i32.store align=1
          i32.const 0
          i32.const 0
          i32.load offset=1072 align=1
          i32.const 1024
          i32.add
          i32.store offset=1072 align=1
        end
        i32.const 0
        i32.load offset=1060 align=1
        local.get 54
        i32.const 1
        i32.shl
        i32.lt_u
        if ;; label = @3
          i32.const 0
          i32.load offset=1060 align=1
          i32.const 1
          i32.shl
          local.set 56
          local.get 56
          i32.const 4096
          local.get 56
          select
          local.set 57
          local.get 57
          i32.const 3
          i32.shl
          call 4
          local.set 58
          local.get 58
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 57
          i32.const 1
          i32.shr_u
          i32.const 0
          i32.const 0
          i32.load offset=1060 align=1
          i32.eqz
          select
          i32.store offset=1084 align=1
          i32.const 0
          i32.const 0
          i32.load offset=1056 align=1
          i32.store offset=1088 align=1
          i32.const 0
          local.get 58
          i32.store offset=1056 align=1
          i32.const 0
          local.get 57
          i32.store offset=1060 align=1
          i32.const 0
          i32.const 0
          i32.store offset=1080 align=1
          i32.const 0
          i32.const 1
          i32.store offset=1076 align=1
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=1104 align=1
        i32.eqz
        if ;; label = @3
          i32.const 1024
          call 4
          local.set 59
          local.get 59
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          local.get 59
          i32.const 0
          i32.const 1024
          memory.fill
          i32.const 0
          local.get 59
          i32.store offset=1104 align=1
        end
        i32.const 0
        i32.load offset=1104 align=1
        local.set 60
        i32.const 0
        i32.load offset=1056 align=1
        local.set 61
        i32.const 0
        i32.load offset=1060 align=1
        i32.const 1
        i32.sub
        local.set 62
        local.get 46
        local.get 47
        i32.sub
        local.set 63
        local.get 47
        local.get 63
        i32.const 1024
        local.get 63
        i32.const 1024
        i32.lt_u
        select
        i32.add
        local.set 64
        local.get 47
        local.get 64
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 20
            local.get 47
            i32.const 2
            i32.shl
            i32.add
            i32.load align=1
            local.set 48
            local.get 50
            local.get 48
            i32.const 16
            i32.mul
            i32.add
            i32.load align=1
            local.set 65
            local.get 50
            local.get 48
            i32.const 16
            i32.mul
            i32.add
            i32.const 4
            i32.add
            local.get 50
            local.get 48
            i32.const 16
            i32.mul
            i32.add
            i32.load offset=8 align=1
            local.get 65
            i32.const 12
            i32.le_u
            select
            local.set 66
            i32.const 0
            local.set 67
            i32.const 0
            local.set 68
            i32.const 0
            local.set 70
            local.get 66
            i32.load8_u
            i32.const 254
            local.get 65
            select
            local.set 69
            local.get 65
            i32.const 1
            i32.gt_u
            local.get 69
            i32.const 127
            i32.gt_u
            local.get 65
            i32.and
            i32.or
            local.set 70
            local.get 68
            local.get 70
            i32.or
            local.set 68
            local.get 67
            i32.const 8
            i32.shl
            local.get 69
            i32.or
            local.set 67
            local.get 60
            local.get 67
            i32.const 2
            i32.shl
            i32.add
            local.set 67
            i32.const 0
            local.set 71
            local.get 68
            i32.eqz
            if ;; label = @5
              local.get 67
              i32.load align=1
              local.set 71
            end
            local.get 71
            i32.eqz
            if ;; label = @5
              i64.const 2685821657736338717
              local.set 72
              local.get 66
              i64.load align=1
              i64.const 1
              local.get 65
              i32.const 3
              i32.shl
              i64.extend_i32_u
              i64.shl
              i64.const 1
              i64.sub
              i64.const -1
              local.get 65
              i32.const 8
              i32.lt_u
              select
              i64.and
              local.get 65
              i64.extend_i32_u
              i64.const 56
              i64.shl
              i64.xor
              local.set 75
              local.get 65
              i32.const 8
              i32.gt_u
              if ;; label = @6
                local.get 66
                local.get 65
                call 9
                local.set 75
              end
              local.get 72
              local.get 75
              i64.xor
              i64.const -7046029254386353131
              i64.mul_wide_u
              local.set 74
              local.set 73
              local.get 73
              local.get 74
              i64.xor
              local.set 72
              local.get 72
              i32.wrap_i64
              local.set 76
              local.get 76
              local.get 62
              i32.and
              local.set 79
              block ;; label = @6
                loop ;; label = @7
                  local.get 61
                  local.get 79
                  i32.const 3
                  i32.shl
                  i32.add
                  i64.load align=1
                  local.set 78
                  local.get 78
                  i64.eqz
                  if ;; label = @8
                    i32.const 0
                    i32.load offset=1064 align=1
                    local.set 80
                    i32.const 0
                    i32.load offset=1068 align=1
                    local.get 80
                    i32.const 10
                    i32.shr_u
                    i32.const 2
                    i32.shl
                    i32.add
                    i32.load align=1
                    local.get 80
                    i32.const 1023
                    i32.and
                    i32.const 40
                    i32.mul
                    i32.add
                    local.set 81
                    local.get 81
                    local.set 77
                    local.get 66
                    local.set 82
                    local.get 65
                    i32.const 12
                    i32.gt_u
                    if ;; label = @9
                      i32.const 0
                      i32.load offset=1120 align=1
                      local.set 82
                      i32.const 0
                      local.get 82
                      local.get 65
                      i32.add
                      i32.store offset=1120 align=1
                      i32.const 0
                      local.set 83
                      local.get 65
                      if ;; label = @10
                        loop ;; label = @11
                          local.get 82
                          local.get 83
                          i32.add
                          local.get 66
                          local.get 83
                          i32.add
                          v128.load align=1
                          v128.store align=1
                          local.get 83
                          i32.const 16
                          i32.add
                          local.set 83
                          local.get 83
                          local.get 65
                          i32.lt_u
                          br_if 0 (;@11;)
                        end
                      end
                    end
                    local.get 77
                    i32.const 0
                    i32.add
                    local.get 82
                    local.get 65
                    call 6
                    local.get 77
                    i64.const 0
                    i64.store offset=16 align=1
                    local.get 77
                    i64.const 0
                    i64.store offset=24 align=1
                    local.get 77
                    i64.const 0
                    i64.store offset=32 align=1
                    local.get 61
                    local.get 79
                    i32.const 3
                    i32.shl
                    i32.add
                    local.get 76
                    i64.extend_i32_u
                    i64.const 32
                    i64.shl
                    local.get 77
                    i64.extend_i32_u
                    i64.or
                    i64.store align=1
                    i32.const 0
                    local.get 80
                    i32.const 1
                    i32.add
                    i32.store offset=1064 align=1
                    br 2 (;@6;)
                  end
                  local.get 78
                  i64.const 32
                  i64.shr_u
                  i32.wrap_i64
                  local.get 76
                  i32.eq
                  if ;; label = @8
                    local.get 78
                    i32.wrap_i64
                    local.set 77
                    i32.const 1
                    local.set 84
                    local.get 77
                    i32.load align=1
                    local.set 85
                    local.get 77
                    i32.const 4
                    i32.add
                    local.get 77
                    i32.load offset=8 align=1
                    local.get 85
                    i32.const 12
                    i32.le_u
                    select
                    local.set 86
                    local.get 85
                    local.get 65
                    i32.eq
                    local.set 87
                    local.get 87
                    if ;; label = @9
                      local.get 86
                      i64.load align=1
                      i64.const 1
                      local.get 85
                      i32.const 3
                      i32.shl
                      i64.extend_i32_u
                      i64.shl
                      i64.const 1
                      i64.sub
                      i64.const -1
                      local.get 85
                      i32.const 8
                      i32.lt_u
                      select
                      i64.and
                      local.get 66
                      i64.load align=1
                      i64.const 1
                      local.get 65
                      i32.const 3
                      i32.shl
                      i64.extend_i32_u
                      i64.shl
                      i64.const 1
                      i64.sub
                      i64.const -1
                      local.get 65
                      i32.const 8
                      i32.lt_u
                      select
                      i64.and
                      i64.xor
                      i64.eqz
                      local.set 87
                      local.get 87
                      local.get 85
                      i32.const 8
                      i32.gt_u
                      i32.and
                      if ;; label = @10
                        local.get 86
                        local.get 66
                        local.get 85
                        call 7
                        local.set 87
                      end
                    end
                    local.get 84
                    local.get 87
                    i32.and
                    local.set 84
                    local.get 84
                    br_if 2 (;@6;)
                  end
                  local.get 79
                  i32.const 1
                  i32.add
                  local.get 62
                  i32.and
                  local.set 79
                  br 0 (;@7;)
                end
              end
              local.get 77
              local.set 71
              local.get 68
              i32.eqz
              if ;; label = @6
                local.get 67
                local.get 71
                i32.store align=1
              end
            end
            local.get 71
            i32.const 16
            i32.add
            local.set 88
            local.get 51
            local.get 48
            i32.const 16
            i32.mul
            i32.add
            i32.load align=1
            local.set 89
            local.get 51
            local.get 48
            i32.const 16
            i32.mul
            i32.add
            i32.const 4
            i32.add
            local.get 51
            local.get 48
            i32.const 16
            i32.mul
            i32.add
            i32.load offset=8 align=1
            local.get 89
            i32.const 12
            i32.le_u
            select
            local.set 90
            local.get 52
            local.get 48
            i32.const 3
            i32.shr_u
            i32.add
            i32.load8_u
            local.get 48
            i32.const 7
            i32.and
            i32.shr_u
            i32.const 1
            i32.and
            i32.eqz
            local.set 91
            local.get 91
            i32.eqz
            local.set 92
            local.get 88
            i32.load align=1
            local.set 93
            local.get 88
            i32.const 4
            i32.add
            local.get 88
            i32.load offset=8 align=1
            local.get 93
            i32.const 12
            i32.le_u
            select
            local.set 94
            local.get 88
            i32.load8_u offset=16
            local.set 95
            local.get 90
            local.get 89
            local.get 94
            local.get 93
            call 8
            local.set 96
            i32.const 0
            local.set 97
            local.get 96
            local.get 97
            i32.lt_s
            local.get 95
            i32.eqz
            i32.or
            local.get 92
            i32.and
            if ;; label = @5
              local.get 90
              local.set 98
              local.get 89
              i32.const 12
              i32.gt_u
              if ;; label = @6
                local.get 89
                local.get 93
                i32.le_u
                if ;; label = @7
                  local.get 94
                  local.set 98
                  local.get 98
                  local.get 90
                  local.get 89
                  memory.copy
                else
                  i32.const 0
                  i32.load offset=1120 align=1
                  local.set 98
                  i32.const 0
                  local.get 98
                  local.get 89
                  i32.add
                  i32.store offset=1120 align=1
                  i32.const 0
                  local.set 99
                  local.get 89
                  if ;; label = @8
                    loop ;; label = @9
                      local.get 98
                      local.get 99
                      i32.add
                      local.get 90
                      local.get 99
                      i32.add
                      v128.load align=1
                      v128.store align=1
                      local.get 99
                      i32.const 16
                      i32.add
                      local.set 99
                      local.get 99
                      local.get 89
                      i32.lt_u
                      br_if 0 (;@9;)
                    end
                  end
                end
              end
              local.get 88
              i32.const 0
              i32.add
              local.get 98
              local.get 89
              call 6
            end
            local.get 88
            i32.load8_u offset=16
            local.set 100
            local.get 100
            local.get 92
            i32.or
            local.set 101
            local.get 88
            local.get 101
            i32.store8 offset=16
            local.get 47
            i32.const 1
            i32.add
            local.set 47
            local.get 47
            local.get 64
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        br 0 (;@2;)
      end
    end
    i32.const 0
    i32.const 0
    i32.store offset=1152 align=1
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
    i32.const 0
    i32.const 1
    i32.store offset=1136 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;18;) (type 18) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    local.get 0
    i32.const 0
    i32.load offset=1520 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 1
      local.get 1
      i32.const 34
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
      i32.store offset=1524 align=1
      i32.const 0
      local.get 1
      i32.store offset=1520 align=1
    end
    i32.const 0
    i32.load offset=1024 align=1
    local.set 3
    i32.const 0
    i32.load offset=1028 align=1
    local.set 4
    i32.const 0
    i32.load offset=1040 align=1
    local.set 5
    i32.const 0
    i32.load offset=1044 align=1
    local.set 6
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 7
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 16
    i32.mul
    i32.add
    local.set 8
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 32
    i32.mul
    i32.add
    local.set 9
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 33
    i32.mul
    i32.add
    local.set 10
    i32.const 0
    local.set 11
    i32.const 0
    i32.load offset=1064 align=1
    local.set 12
    i32.const 0
    i32.load offset=1136 align=1
    if ;; label = @1
      i32.const 0
      i32.load offset=1140 align=1
      local.set 13
      local.get 12
      local.get 13
      i32.sub
      local.set 14
      local.get 13
      local.get 14
      local.get 0
      local.get 14
      local.get 0
      i32.lt_u
      select
      i32.add
      local.set 15
      local.get 13
      local.get 15
      i32.lt_u
      if ;; label = @2
        loop ;; label = @3
          i32.const 0
          i32.load offset=1068 align=1
          local.get 13
          i32.const 10
          i32.shr_u
          i32.const 2
          i32.shl
          i32.add
          i32.load align=1
          local.get 13
          i32.const 1023
          i32.and
          i32.const 40
          i32.mul
          i32.add
          local.set 16
          local.get 16
          i32.load align=1
          local.set 17
          local.get 16
          i32.const 4
          i32.add
          local.get 16
          i32.load offset=8 align=1
          local.get 17
          i32.const 12
          i32.le_u
          select
          local.set 18
          local.get 16
          i32.const 16
          i32.add
          local.set 19
          local.get 19
          i32.load align=1
          local.set 20
          local.get 19
          i32.const 4
          i32.add
          local.get 19
          i32.load offset=8 align=1
          local.get 20
          i32.const 12
          i32.le_u
          select
          local.set 21
          local.get 19
          i32.load8_u offset=16
          local.set 22
          local.get 22
          i32.eqz
          local.set 23
          local.get 7
          local.get 11
          i32.const 16
          i32.mul
          i32.add
          local.set 24
          local.get 24
          i32.const 0
          i32.add
          local.get 18
          local.get 17
          call 6
          local.get 8
          local.get 11
          i32.const 16
          i32.mul
          i32.add
          local.set 25
          local.get 25
          i32.const 0
          i32.add
          local.get 21
          local.get 20
          call 6
          local.get 9
          local.get 11
          i32.add
          local.get 23
          i32.eqz
          i32.store8
          local.get 11
          i32.const 1
          i32.add
          local.set 11
          local.get 13
          i32.const 1
          i32.add
          local.set 13
          local.get 13
          local.get 15
          i32.lt_u
          br_if 0 (;@3;)
        end
      end
      i32.const 0
      local.get 15
      i32.store offset=1140 align=1
    end
    i32.const 0
    local.get 7
    i32.store offset=1456 align=1
    i32.const 0
    local.get 11
    i32.store offset=1472 align=1
    i32.const 0
    local.get 8
    i32.store offset=1488 align=1
    local.get 9
    local.get 11
    local.get 10
    call 5
    i32.const 0
    local.get 10
    i32.store offset=1492 align=1
    i32.const 0
    local.get 11
    i32.store offset=1504 align=1
    i32.const 0
    local.get 11
    i32.store offset=1536 align=1
    i32.const 0
    i32.load offset=1536 align=1
    local.set 26
    i32.const 0
    i32.const 0
    i32.store offset=1536 align=1
    i32.const 0
    local.get 26
    i32.store offset=24 align=1
    i32.const 0
    i32.const 1456
    i32.store offset=28 align=1
    local.get 26
    i32.const 0
    i32.load offset=1064 align=1
    i32.const 0
    i32.load offset=1140 align=1
    i32.sub
    i32.const 0
    i32.const 0
    i32.load offset=1136 align=1
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
